"""A page that says hello."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def page() -> str:
    return "hello from uv"
