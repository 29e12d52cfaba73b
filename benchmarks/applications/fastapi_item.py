"""A FastAPI application whose one route has a path parameter and a response model."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel


class Item(BaseModel):
    number: int
    name: str
    price: float
    tags: list[str]


app = FastAPI()


@app.get("/items/{number}")
async def read_item(number: int) -> Item:
    return Item(number=number, name="hawser", price=12.5, tags=["hemp", "three-strand"])
