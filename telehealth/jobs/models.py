"""The sign of life that `/readyz` looks for."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.orm import Base


class WorkerHeartbeat(Base):
    """When the clock of the workers last ticked."""

    __tablename__ = "worker_heartbeat"

    name: Mapped[str] = mapped_column(primary_key=True)
    beat_at: Mapped[datetime]
