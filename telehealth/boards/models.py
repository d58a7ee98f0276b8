"""Areas of a facility that have boards of their own."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.boards.codes import Dialect, Languages
from telehealth.core.ids import new_id
from telehealth.core.orm import Base, one_of


class BoardArea(Base):
    """A named set of queues and rooms whose calls are shown and spoken together."""

    __tablename__ = "board_area"
    __table_args__ = (
        UniqueConstraint("facility_id", "code"),
        CheckConstraint("code ~ '^[a-z0-9](-?[a-z0-9]){0,39}$'", name="code"),
        CheckConstraint(one_of("languages", Languages), name="languages"),
        CheckConstraint(one_of("dialect", Dialect), name="dialect"),
        CheckConstraint("least_seconds BETWEEN 4 AND 30", name="least_seconds"),
        CheckConstraint("volume BETWEEN 0 AND 100", name="volume"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("facility.id"))
    code: Mapped[str]
    name: Mapped[str]
    least_seconds: Mapped[int]
    languages: Mapped[str]
    dialect: Mapped[str]
    volume: Mapped[int]
    muted: Mapped[bool]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


class BoardAreaQueue(Base):
    """A queue whose every call an area shows."""

    __tablename__ = "board_area_queue"

    area_id: Mapped[UUID] = mapped_column(ForeignKey("board_area.id", ondelete="CASCADE"), primary_key=True)
    queue_id: Mapped[UUID] = mapped_column(ForeignKey("queue.id"), primary_key=True)


class BoardAreaRoom(Base):
    """A desk or room whose calls an area shows, whatever queue they come from."""

    __tablename__ = "board_area_room"

    area_id: Mapped[UUID] = mapped_column(ForeignKey("board_area.id", ondelete="CASCADE"), primary_key=True)
    service_point_id: Mapped[UUID] = mapped_column(ForeignKey("service_point.id"), primary_key=True)
