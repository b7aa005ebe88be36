# The server as one static binary on nothing: docker build --build-arg VERSION=v1.2.3 -t credits .
FROM golang:1.26 AS build
WORKDIR /src

# The modules change less often than the code, so they have a layer of their own.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG VERSION=development
# timetzdata puts the time zones into the binary.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags timetzdata \
      -ldflags "-s -w -X main.version=${VERSION}" -o /out/credits .
RUN echo 'credits:x:65532:65532:credits:/:/sbin/nologin' > /out/passwd \
 && echo 'credits:x:65532:' > /out/group

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/passwd /out/group /etc/
COPY --from=build /out/credits /credits

# A number, so that a cluster which demands a user other than root can see that this is one.
USER 65532:65532
# Production starts no private database and no stand-in: DATABASE_URL and the rest of .env.example must be set.
ENV APP_ENV=production PORT=3000
EXPOSE 3000
ENTRYPOINT ["/credits"]
