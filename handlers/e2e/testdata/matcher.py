"""A Resume Matcher of the two libraries that the real one is built on, for BenchmarkGate."""
import sys

import uvicorn
from fastapi import FastAPI, Request, Response

app = FastAPI()

# What the dashboard asks for: a user's resumes.
RESUMES = [
    {
        "resume_id": f"5b6f2a0e-8c1d-4f7a-9e3b-{number:012d}",
        "filename": f"ada-example-{number}.pdf",
        "is_master": number == 0,
        "parent_id": None if number == 0 else "5b6f2a0e-8c1d-4f7a-9e3b-000000000000",
        "processing_status": "ready",
        "created_at": "2026-11-20T10:00:00.000000+00:00",
        "updated_at": "2026-11-20T10:05:00.000000+00:00",
        "title": f"Go engineer at Example {number}",
    }
    for number in range(20)
]
LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">' + b"<path d='M0 0h64v64H0z'/>" * 80 + b"</svg>"


def repeat_user(request: Request, response: Response) -> None:
    """Do as the tenant add-on does."""
    if "x-credits-user" in request.headers:
        response.headers["X-Credits-User"] = request.headers["x-credits-user"]


@app.get("/api/v1/credits-tenant")
async def describe() -> dict:
    return {"version": "1"}


@app.get("/api/v1/resumes/list")
async def list_resumes(request: Request, response: Response) -> dict:
    repeat_user(request, response)
    return {"request_id": "b1f0c3d2", "data": RESUMES}


@app.get("/logo.svg")
async def logo() -> Response:
    return Response(LOGO, media_type="image/svg+xml")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False)
