# The server as one static binary in an empty image: docker build --build-arg VERSION=v1.2.3 -t credits .
FROM golang:1.26 AS build
WORKDIR /src

# Modules change less often than code, so they have their own layer.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG VERSION=development COMMIT=
# timetzdata embeds the time zones in the binary.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags timetzdata \
      -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" -o /out/credits .
# An export is written to a file in /tmp before it is sent.
RUN mkdir /out/etc /out/tmp && chmod 1777 /out/tmp \
 && echo 'credits:x:65532:65532:credits:/:/sbin/nologin' > /out/etc/passwd \
 && echo 'credits:x:65532:' > /out/etc/group

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out /

# A numeric id lets a cluster that requires a non-root user verify it.
USER 65532:65532
# Production starts no private database and no stand-in: set DATABASE_URL and the other required settings of
# .env.example.
ENV APP_ENV=production PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/credits", "health"]
ENTRYPOINT ["/credits"]
