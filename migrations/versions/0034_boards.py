"""Boards of an area: what they show and how they sound; what a board's event is about."""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE board_area (
    id uuid CONSTRAINT pk_board_area PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_board_area_facility_id_facility REFERENCES facility (id),
    code text NOT NULL,
    name text NOT NULL,
    least_seconds integer NOT NULL,
    languages text NOT NULL,
    dialect text NOT NULL,
    volume integer NOT NULL,
    muted boolean NOT NULL,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT uq_board_area_facility_id_code UNIQUE (facility_id, code),
    CONSTRAINT ck_board_area_code CHECK (code ~ '^[a-z0-9](-?[a-z0-9]){0,39}$'),
    CONSTRAINT ck_board_area_languages CHECK (languages IN ('vi', 'vi-en', 'en')),
    CONSTRAINT ck_board_area_dialect CHECK (dialect IN ('south', 'north')),
    CONSTRAINT ck_board_area_least_seconds CHECK (least_seconds BETWEEN 4 AND 30),
    CONSTRAINT ck_board_area_volume CHECK (volume BETWEEN 0 AND 100)
);

CREATE TABLE board_area_queue (
    area_id uuid NOT NULL
        CONSTRAINT fk_board_area_queue_area_id_board_area REFERENCES board_area (id) ON DELETE CASCADE,
    queue_id uuid NOT NULL CONSTRAINT fk_board_area_queue_queue_id_queue REFERENCES queue (id),
    CONSTRAINT pk_board_area_queue PRIMARY KEY (area_id, queue_id)
);

CREATE TABLE board_area_room (
    area_id uuid NOT NULL
        CONSTRAINT fk_board_area_room_area_id_board_area REFERENCES board_area (id) ON DELETE CASCADE,
    service_point_id uuid NOT NULL
        CONSTRAINT fk_board_area_room_service_point_id_service_point REFERENCES service_point (id),
    CONSTRAINT pk_board_area_room PRIMARY KEY (area_id, service_point_id)
);

ALTER TABLE board_event
    ADD COLUMN queue_id uuid CONSTRAINT fk_board_event_queue_id_queue REFERENCES queue (id),
    ADD COLUMN service_point_id uuid
        CONSTRAINT fk_board_event_service_point_id_service_point REFERENCES service_point (id);
"""

# What hangs in a hall anybody may read; only the staff of its facility change it.
WALLS = """
ALTER TABLE board_area ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON board_area FOR SELECT USING (true);
CREATE POLICY own ON board_area USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);
"""

OF_AREA = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON {table} FOR SELECT USING (true);
CREATE POLICY own ON {table} USING (EXISTS (
    SELECT FROM board_area a WHERE a.id = area_id
       AND CASE app_kind()
               WHEN 'system' THEN true
               WHEN 'staff' THEN a.facility_id = ANY (app_facilities())
               ELSE false
           END));
"""

UNDO = """
DELETE FROM board_event WHERE kind <> 'called';
ALTER TABLE board_event DROP COLUMN service_point_id, DROP COLUMN queue_id;
DROP TABLE board_area_room;
DROP TABLE board_area_queue;
DROP TABLE board_area;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(WALLS)
    for table in ("board_area_queue", "board_area_room"):
        op.execute(OF_AREA.format(table=table))


def downgrade() -> None:
    op.execute(UNDO)
