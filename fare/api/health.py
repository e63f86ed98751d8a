"""Whether this ledger answers, for machines that watch it. It tells nothing of what is inside."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text

from fare.api.context import Context
from fare.database.engine import read


class Health(BaseModel):
    """`status` is ok when the database answers (503 otherwise); `server_time_ms` is unix milliseconds."""

    status: str
    server_time_ms: int


def health_routes(context: Context) -> APIRouter:
    """The address to watch."""
    router = APIRouter(prefix="/v1", tags=["operations"])

    @router.get("/health", summary="Whether the ledger and its database answer")
    def get_health() -> Health:
        with read(context.engine) as session:
            session.connection().execute(text("SELECT 1"))
        return Health(status="ok", server_time_ms=int(context.clock().timestamp() * 1000))

    return router
