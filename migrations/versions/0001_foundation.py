"""The tables of the foundation."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute(
        """
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'telehealth_app') THEN
                CREATE ROLE telehealth_app NOLOGIN;
            END IF;
        END $$
        """
    )
    op.execute("GRANT USAGE ON SCHEMA public TO telehealth_app")
    op.execute(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO telehealth_app"
    )
    op.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO telehealth_app")
    op.execute("GRANT SELECT ON alembic_version TO telehealth_app")
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("facility_id", sa.Uuid(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index("ix_audit_event_entity_id", "audit_event", ["entity_id"], unique=False)
    op.create_index("ix_audit_event_patient_id_at", "audit_event", ["patient_id", "at"], unique=False)
    op.create_table(
        "directory_import",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_import")),
    )
    op.create_table(
        "facility",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("national_code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_search", sa.Text(), nullable=False),
        sa.Column("name_sort", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("care_level", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("province", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("hotline", sa.Text(), nullable=False),
        sa.Column("hours", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("after_hours", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "care_level IN ('initial', 'basic', 'specialised')", name=op.f("ck_facility_care_level")
        ),
        sa.CheckConstraint("kind IN ('hospital', 'centre', 'station')", name=op.f("ck_facility_kind")),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_facility_not_own_parent")),
        sa.ForeignKeyConstraint(["parent_id"], ["facility.id"], name=op.f("fk_facility_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facility")),
        sa.UniqueConstraint("code", name=op.f("uq_facility_code")),
        sa.UniqueConstraint("national_code", name=op.f("uq_facility_national_code")),
    )
    op.create_index(
        "ix_facility_name_search_trgm",
        "facility",
        ["name_search"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"name_search": "gin_trgm_ops"},
    )
    op.create_table(
        "idempotency",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("response_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "route", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "materialised_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("roster_version", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_materialised_day")),
    )
    op.create_table(
        "otp_challenge",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("phone_index", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_otp_challenge")),
    )
    op.create_index("ix_otp_challenge_ip_created_at", "otp_challenge", ["ip", "created_at"], unique=False)
    op.create_index(
        "ix_otp_challenge_phone_index_created_at",
        "otp_challenge",
        ["phone_index", "created_at"],
        unique=False,
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("name_search", sa.Text(), nullable=False),
        sa.Column("name_sort", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Text(), nullable=True),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("nationality", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_index", sa.LargeBinary(), nullable=True),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("notes_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("unidentified", sa.Boolean(), nullable=False),
        sa.Column("guardian_id", sa.Uuid(), nullable=True),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "birth_date ~ '^\\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\\d|3[01]))?)?$'",
            name=op.f("ck_patient_birth_date"),
        ),
        sa.CheckConstraint("sex IN ('male', 'female', 'other', 'unknown')", name=op.f("ck_patient_sex")),
        sa.CheckConstraint("merged_into <> id", name=op.f("ck_patient_merged_into")),
        sa.CheckConstraint("unidentified OR birth_date IS NOT NULL", name=op.f("ck_patient_identified")),
        sa.ForeignKeyConstraint(["guardian_id"], ["patient.id"], name=op.f("fk_patient_guardian_id")),
        sa.ForeignKeyConstraint(["merged_into"], ["patient.id"], name=op.f("fk_patient_merged_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
    )
    op.create_index(
        "ix_patient_name_search_trgm",
        "patient",
        ["name_search"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"name_search": "gin_trgm_ops"},
    )
    op.create_index("ix_patient_phone_index", "patient", ["phone_index"], unique=False)
    op.create_table(
        "board",
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_board_facility_id")),
        sa.PrimaryKeyConstraint("facility_id", name=op.f("pk_board")),
    )
    op.create_table(
        "board_event",
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_board_event_facility_id")),
        sa.PrimaryKeyConstraint("facility_id", "seq", name=op.f("pk_board_event")),
    )
    op.create_table(
        "calendar_day",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("like_weekday", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'works-like') = (like_weekday IS NOT NULL)", name=op.f("ck_calendar_day_like_weekday")
        ),
        sa.CheckConstraint("kind IN ('holiday', 'working', 'works-like')", name=op.f("ck_calendar_day_kind")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_calendar_day_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_day")),
        sa.UniqueConstraint(
            "day",
            "facility_id",
            name=op.f("uq_calendar_day_day_facility_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "healthcare_service",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_vi", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("name_search", sa.Text(), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("price_insured_vnd", sa.Integer(), nullable=True),
        sa.Column("price_self_vnd", sa.Integer(), nullable=True),
        sa.Column("price_on_request_vnd", sa.Integer(), nullable=True),
        sa.Column("price_after_hours_vnd", sa.Integer(), nullable=True),
        sa.Column("modalities", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("online_booking", sa.Boolean(), nullable=False),
        sa.Column("online_share_percent", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("duration_minutes > 0", name=op.f("ck_healthcare_service_duration_minutes")),
        sa.CheckConstraint(
            "online_share_percent BETWEEN 0 AND 100", name=op.f("ck_healthcare_service_online_share_percent")
        ),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_healthcare_service_facility_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_healthcare_service")),
        sa.UniqueConstraint("facility_id", "code", name=op.f("uq_healthcare_service_facility_id_code")),
    )
    op.create_index("ix_healthcare_service_code", "healthcare_service", ["code"], unique=False)
    op.create_table(
        "integrator_client",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_integrator_client_facility_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrator_client")),
    )
    op.create_table(
        "patient_facility",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_patient_facility_facility_id")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_patient_facility_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "facility_id", name=op.f("pk_patient_facility")),
        sa.UniqueConstraint(
            "facility_id", "record_no", name=op.f("uq_patient_facility_facility_id_record_no")
        ),
    )
    op.create_index("ix_patient_facility_facility_id", "patient_facility", ["facility_id"], unique=False)
    op.create_table(
        "patient_identifier",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("value_index", sa.LargeBinary(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "system IN ('national-id', 'insurance', 'passport', 'old-national-id')",
            name=op.f("ck_patient_identifier_system"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_patient_identifier_patient_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_identifier")),
    )
    op.create_index(
        "ix_patient_identifier_system_value_index",
        "patient_identifier",
        ["system", "value_index"],
        unique=False,
    )
    op.create_index(
        "uq_patient_identifier_active",
        "patient_identifier",
        ["patient_id", "system"],
        unique=True,
        postgresql_where="active",
    )
    op.create_table(
        "practitioner",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("licence_no", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_search", sa.Text(), nullable=False),
        sa.Column("name_sort", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("specialty", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_practitioner_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practitioner")),
        sa.UniqueConstraint("licence_no", name=op.f("uq_practitioner_licence_no")),
    )
    op.create_index("ix_practitioner_facility_id", "practitioner", ["facility_id"], unique=False)
    op.create_index(
        "ix_practitioner_name_search_trgm",
        "practitioner",
        ["name_search"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"name_search": "gin_trgm_ops"},
    )
    op.create_table(
        "service_point",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('registration', 'clinic', 'cashier', 'sampling', 'imaging', 'results', 'pharmacy', 'emergency')",
            name=op.f("ck_service_point_kind"),
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_service_point_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_point")),
        sa.UniqueConstraint("facility_id", "code", name=op.f("uq_service_point_facility_id_code")),
    )
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=True),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_index", sa.LargeBinary(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("totp_secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_last_step", sa.Integer(), nullable=True),
        sa.Column("pin_hash", sa.Text(), nullable=True),
        sa.Column("failed_count", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'staff' AND login IS NOT NULL) OR (kind = 'patient' AND phone_index IS NOT NULL)",
            name=op.f("ck_account_named"),
        ),
        sa.CheckConstraint("kind IN ('patient', 'staff')", name=op.f("ck_account_kind")),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_account_practitioner_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("login", name=op.f("uq_account_login")),
        sa.UniqueConstraint("phone_index", name=op.f("uq_account_phone_index")),
    )
    op.create_table(
        "on_call",
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("specialty", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first_practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("second_practitioner_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_on_call_facility_id")),
        sa.ForeignKeyConstraint(
            ["first_practitioner_id"], ["practitioner.id"], name=op.f("fk_on_call_first_practitioner_id")
        ),
        sa.ForeignKeyConstraint(
            ["second_practitioner_id"], ["practitioner.id"], name=op.f("fk_on_call_second_practitioner_id")
        ),
        sa.PrimaryKeyConstraint("facility_id", "specialty", "day", name=op.f("pk_on_call")),
    )
    op.create_table(
        "queue",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("service_point_id", sa.Uuid(), nullable=True),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("minutes_per_visit", sa.Integer(), nullable=False),
        sa.Column("daily_limit", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('registration', 'clinic', 'cashier', 'sampling', 'imaging', 'results', 'pharmacy', 'emergency')",
            name=op.f("ck_queue_kind"),
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_queue_facility_id")),
        sa.ForeignKeyConstraint(
            ["service_point_id"], ["service_point.id"], name=op.f("fk_queue_service_point_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue")),
        sa.UniqueConstraint("facility_id", "code", name=op.f("uq_queue_facility_id_code")),
    )
    op.create_table(
        "schedule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("weekdays", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("modality IN ('in-person', 'video')", name=op.f("ck_schedule_modality")),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_schedule_capacity")),
        sa.CheckConstraint(
            "slot_minutes > 0 AND slot_minutes <= end_minute - start_minute", name=op.f("ck_schedule_slot")
        ),
        sa.CheckConstraint(
            "start_minute < end_minute AND end_minute <= 1440", name=op.f("ck_schedule_minutes")
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_schedule_valid")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_schedule_facility_id")),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_schedule_practitioner_id")
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["healthcare_service.id"], name=op.f("fk_schedule_service_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
    )
    op.create_index("ix_schedule_practitioner_id", "schedule", ["practitioner_id"], unique=False)
    op.create_index("ix_schedule_service_id", "schedule", ["service_id"], unique=False)
    op.create_table(
        "schedule_exception",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("to_date", sa.Date(), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=True),
        sa.Column("end_minute", sa.Integer(), nullable=True),
        sa.Column("service_id", sa.Uuid(), nullable=True),
        sa.Column("modality", sa.Text(), nullable=True),
        sa.Column("slot_minutes", sa.Integer(), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("room", sa.Text(), nullable=True),
        sa.Column("like_weekday", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('leave', 'extra', 'closed', 'works-like')", name=op.f("ck_schedule_exception_kind")
        ),
        sa.CheckConstraint(
            "(start_minute IS NULL) = (end_minute IS NULL)", name=op.f("ck_schedule_exception_minutes")
        ),
        sa.CheckConstraint("to_date >= from_date", name=op.f("ck_schedule_exception_dates")),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_schedule_exception_facility_id")
        ),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_schedule_exception_practitioner_id")
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["healthcare_service.id"], name=op.f("fk_schedule_exception_service_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_exception")),
    )
    op.create_index(
        "ix_schedule_exception_facility_id_from_date",
        "schedule_exception",
        ["facility_id", "from_date"],
        unique=False,
    )
    op.create_table(
        "account_patient",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "relation IN ('self', 'parent', 'child', 'spouse', 'guardian', 'relative', 'other')",
            name=op.f("ck_account_patient_relation"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_patient_account_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_account_patient_patient_id")),
        sa.PrimaryKeyConstraint("account_id", "patient_id", name=op.f("pk_account_patient")),
    )
    op.create_index("ix_account_patient_patient_id", "account_patient", ["patient_id"], unique=False)
    op.create_table(
        "clinic_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=True),
        sa.Column("exception_id", sa.Uuid(), nullable=True),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("service_code", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("slot_count", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("online_quota", sa.Integer(), nullable=False),
        sa.Column("online_booked", sa.Integer(), nullable=False),
        sa.Column("booked", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'closed', 'cancelled')", name=op.f("ck_clinic_session_status")
        ),
        sa.CheckConstraint(
            "booked BETWEEN 0 AND slot_count * capacity", name=op.f("ck_clinic_session_booked")
        ),
        sa.CheckConstraint(
            "online_booked BETWEEN 0 AND online_quota", name=op.f("ck_clinic_session_online_booked")
        ),
        sa.CheckConstraint("start_at < end_at", name=op.f("ck_clinic_session_times")),
        sa.ForeignKeyConstraint(
            ["exception_id"], ["schedule_exception.id"], name=op.f("fk_clinic_session_exception_id")
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_clinic_session_facility_id")),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_clinic_session_practitioner_id")
        ),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedule.id"], name=op.f("fk_clinic_session_schedule_id")),
        sa.ForeignKeyConstraint(
            ["service_id"], ["healthcare_service.id"], name=op.f("fk_clinic_session_service_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinic_session")),
    )
    op.create_index(
        "ix_clinic_session_facility_id_business_date",
        "clinic_session",
        ["facility_id", "business_date"],
        unique=False,
    )
    op.create_index(
        "ix_clinic_session_practitioner_id_start_at",
        "clinic_session",
        ["practitioner_id", "start_at"],
        unique=False,
    )
    op.create_index(
        "ix_clinic_session_service_code_start_at",
        "clinic_session",
        ["service_code", "modality", "start_at"],
        unique=False,
    )
    op.create_index(
        "ix_clinic_session_service_id_start_at", "clinic_session", ["service_id", "start_at"], unique=False
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("text_version", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["given_by"], ["account.id"], name=op.f("fk_consent_given_by")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_consent_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index("ix_consent_patient_id", "consent", ["patient_id"], unique=False)
    op.create_table(
        "device",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("enrolled_by", sa.Uuid(), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('kiosk', 'board', 'computer')", name=op.f("ck_device_kind")),
        sa.ForeignKeyConstraint(["enrolled_by"], ["account.id"], name=op.f("fk_device_enrolled_by")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_device_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_device_token_hash")),
    )
    op.create_table(
        "login_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("source_port", sa.Integer(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_login_event_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_event")),
    )
    op.create_index("ix_login_event_account_id_at", "login_event", ["account_id", "at"], unique=False)
    op.create_table(
        "membership",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('patient', 'guardian', 'practitioner', 'desk', 'facility-admin', 'province-officer', 'kiosk', 'integrator', 'system')",
            name=op.f("ck_membership_role"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_membership_account_id")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_membership_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
    )
    op.create_index("ix_membership_account_id", "membership", ["account_id"], unique=False)
    op.create_index("ix_membership_facility_id", "membership", ["facility_id"], unique=False)
    op.create_table(
        "queue_counter",
        sa.Column("queue_id", sa.Uuid(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.CheckConstraint("last >= 0", name=op.f("ck_queue_counter_last")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_queue_counter_queue_id")),
        sa.PrimaryKeyConstraint("queue_id", "business_date", name=op.f("pk_queue_counter")),
    )
    op.create_table(
        "access_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("mfa", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_access_session_account_id")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["integrator_client.id"], name=op.f("fk_access_session_client_id")
        ),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_access_session_device_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_session_token_hash")),
    )
    op.create_index("ix_access_session_account_id", "access_session", ["account_id"], unique=False)
    op.create_table(
        "appointment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("clinic_session_id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("price_class", sa.Text(), nullable=False),
        sa.Column("coverage_basis", sa.Text(), nullable=False),
        sa.Column("coverage_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("coverage_checked_by", sa.Uuid(), nullable=True),
        sa.Column("companion", sa.Boolean(), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status IN ('held', 'expired')) OR patient_id IS NOT NULL", name=op.f("ck_appointment_patient")
        ),
        sa.CheckConstraint(
            "channel IN ('online', 'desk', 'kiosk', 'referral')", name=op.f("ck_appointment_channel")
        ),
        sa.CheckConstraint(
            "coverage_basis IN ('registered-here', 'referral-slip', 'reexamination-slip', 'listed-disease', 'emergency', 'temporary-residence', 'elsewhere', 'none')",
            name=op.f("ck_appointment_coverage_basis"),
        ),
        sa.CheckConstraint("modality IN ('in-person', 'video')", name=op.f("ck_appointment_modality")),
        sa.CheckConstraint(
            "status <> 'held' OR hold_until IS NOT NULL", name=op.f("ck_appointment_hold_until")
        ),
        sa.CheckConstraint(
            "status IN ('held', 'expired', 'booked', 'arrived', 'fulfilled', 'cancelled', 'noshow')",
            name=op.f("ck_appointment_status"),
        ),
        sa.CheckConstraint("start_at < end_at", name=op.f("ck_appointment_times")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_appointment_account_id")),
        sa.ForeignKeyConstraint(
            ["clinic_session_id"], ["clinic_session.id"], name=op.f("fk_appointment_clinic_session_id")
        ),
        sa.ForeignKeyConstraint(
            ["coverage_checked_by"], ["account.id"], name=op.f("fk_appointment_coverage_checked_by")
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_appointment_facility_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_appointment_patient_id")),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_appointment_practitioner_id")
        ),
        sa.ForeignKeyConstraint(["replaces_id"], ["appointment.id"], name=op.f("fk_appointment_replaces_id")),
        sa.ForeignKeyConstraint(
            ["service_id"], ["healthcare_service.id"], name=op.f("fk_appointment_service_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment")),
        sa.UniqueConstraint("code", name=op.f("uq_appointment_code")),
    )
    op.create_index("ix_appointment_account_id", "appointment", ["account_id"], unique=False)
    op.create_index("ix_appointment_clinic_session_id", "appointment", ["clinic_session_id"], unique=False)
    op.create_index(
        "ix_appointment_facility_id_start_at", "appointment", ["facility_id", "start_at"], unique=False
    )
    op.create_index(
        "ix_appointment_hold_until",
        "appointment",
        ["hold_until"],
        unique=False,
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_index(
        "ix_appointment_patient_id_start_at", "appointment", ["patient_id", "start_at"], unique=False
    )
    op.create_index(
        "ix_appointment_practitioner_id_start_at",
        "appointment",
        ["practitioner_id", "start_at"],
        unique=False,
    )
    op.create_table(
        "roster_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_session_id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_session_id"], ["clinic_session.id"], name=op.f("fk_roster_change_clinic_session_id")
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_roster_change_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_change")),
    )
    op.create_index("ix_roster_change_facility_id", "roster_change", ["facility_id"], unique=False)
    op.create_table(
        "claim",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("resource_kind", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("resource_id"), "="),
            (sa.column("lane"), "="),
            (sa.column("during"), "&&"),
            where=sa.text("active"),
            using="gist",
            name="ex_claim_overlap",
        ),
        sa.CheckConstraint(
            "resource_kind IN ('practitioner', 'patient')", name=op.f("ck_claim_resource_kind")
        ),
        sa.CheckConstraint("NOT isempty(during)", name=op.f("ck_claim_during")),
        sa.CheckConstraint("lane > 0", name=op.f("ck_claim_lane")),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointment.id"], name=op.f("fk_claim_appointment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
    )
    op.create_index("ix_claim_appointment_id", "claim", ["appointment_id"], unique=False)
    op.create_index(
        "ix_claim_resource_id_start",
        "claim",
        ["resource_id", sa.literal_column("lower(during)")],
        unique=False,
        postgresql_include=["during", "lane"],
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "encounter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("practitioner_id", sa.Uuid(), nullable=True),
        sa.Column("service_id", sa.Uuid(), nullable=True),
        sa.Column("appointment_id", sa.Uuid(), nullable=True),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("modality IN ('in-person', 'video')", name=op.f("ck_encounter_modality")),
        sa.CheckConstraint(
            "status IN ('arrived', 'in-progress', 'finished', 'cancelled')", name=op.f("ck_encounter_status")
        ),
        sa.CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name=op.f("ck_encounter_period")),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointment.id"], name=op.f("fk_encounter_appointment_id")
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_encounter_facility_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_encounter_patient_id")),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_encounter_practitioner_id")
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["healthcare_service.id"], name=op.f("fk_encounter_service_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encounter")),
    )
    op.create_index("ix_encounter_patient_id", "encounter", ["patient_id"], unique=False)
    op.create_index(
        "ix_encounter_practitioner_id_business_date",
        "encounter",
        ["practitioner_id", "business_date"],
        unique=False,
    )
    op.create_index(
        "uq_encounter_appointment_id",
        "encounter",
        ["appointment_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'cancelled'"),
    )
    op.create_table(
        "encounter_participant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("encounter_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["encounter_id"], ["encounter.id"], name=op.f("fk_encounter_participant_encounter_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encounter_participant")),
    )
    op.create_index(
        "ix_encounter_participant_encounter_id", "encounter_participant", ["encounter_id"], unique=False
    )
    op.create_table(
        "ticket",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("queue_id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("public_token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("priority_class", sa.Text(), nullable=False),
        sa.Column("priority_set_by", sa.Text(), nullable=True),
        sa.Column("appointment_id", sa.Uuid(), nullable=True),
        sa.Column("encounter_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("appointment_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_by", sa.Uuid(), nullable=True),
        sa.Column("press_key", sa.Text(), nullable=True),
        sa.Column("print_status", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("call_count", sa.Integer(), nullable=False),
        sa.Column("service_point_id", sa.Uuid(), nullable=True),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("near_notified_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "priority_class IN ('none', 'under-6', 'pregnant', 'disability', 'aged-75', 'merit')",
            name=op.f("ck_ticket_priority_class"),
        ),
        sa.CheckConstraint(
            "status IN ('waiting', 'called', 'serving', 'parked', 'done', 'missed', 'cancelled')",
            name=op.f("ck_ticket_status"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_ticket_number")),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointment.id"], name=op.f("fk_ticket_appointment_id")
        ),
        sa.ForeignKeyConstraint(["encounter_id"], ["encounter.id"], name=op.f("fk_ticket_encounter_id")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_ticket_facility_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_ticket_patient_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_ticket_queue_id")),
        sa.ForeignKeyConstraint(
            ["service_point_id"], ["service_point.id"], name=op.f("fk_ticket_service_point_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("issued_by", "press_key", name=op.f("uq_ticket_issued_by_press_key")),
        sa.UniqueConstraint("public_token_hash", name=op.f("uq_ticket_public_token_hash")),
        sa.UniqueConstraint(
            "queue_id", "business_date", "number", name=op.f("uq_ticket_queue_id_business_date_number")
        ),
    )
    op.create_index("ix_ticket_appointment_id", "ticket", ["appointment_id"], unique=False)
    op.create_index("ix_ticket_encounter_id", "ticket", ["encounter_id"], unique=False)
    op.create_index(
        "ix_ticket_waiting",
        "ticket",
        ["queue_id", "business_date"],
        unique=False,
        postgresql_where=sa.text("status IN ('waiting', 'called', 'serving', 'parked')"),
    )
    op.create_table(
        "ticket_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("service_point_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_event_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_event")),
    )
    op.create_index("ix_ticket_event_ticket_id", "ticket_event", ["ticket_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_ticket_event_ticket_id", table_name="ticket_event")
    op.drop_table("ticket_event")
    op.drop_index(
        "ix_ticket_waiting",
        table_name="ticket",
        postgresql_where=sa.text("status IN ('waiting', 'called', 'serving', 'parked')"),
    )
    op.drop_index("ix_ticket_encounter_id", table_name="ticket")
    op.drop_index("ix_ticket_appointment_id", table_name="ticket")
    op.drop_table("ticket")
    op.drop_index("ix_encounter_participant_encounter_id", table_name="encounter_participant")
    op.drop_table("encounter_participant")
    op.drop_index(
        "uq_encounter_appointment_id",
        table_name="encounter",
        postgresql_where=sa.text("status <> 'cancelled'"),
    )
    op.drop_index("ix_encounter_practitioner_id_business_date", table_name="encounter")
    op.drop_index("ix_encounter_patient_id", table_name="encounter")
    op.drop_table("encounter")
    op.drop_index(
        "ix_claim_resource_id_start",
        table_name="claim",
        postgresql_include=["during", "lane"],
        postgresql_where=sa.text("active"),
    )
    op.drop_index("ix_claim_appointment_id", table_name="claim")
    op.drop_table("claim")
    op.drop_index("ix_roster_change_facility_id", table_name="roster_change")
    op.drop_table("roster_change")
    op.drop_index("ix_appointment_practitioner_id_start_at", table_name="appointment")
    op.drop_index("ix_appointment_patient_id_start_at", table_name="appointment")
    op.drop_index(
        "ix_appointment_hold_until", table_name="appointment", postgresql_where=sa.text("status = 'held'")
    )
    op.drop_index("ix_appointment_facility_id_start_at", table_name="appointment")
    op.drop_index("ix_appointment_clinic_session_id", table_name="appointment")
    op.drop_index("ix_appointment_account_id", table_name="appointment")
    op.drop_table("appointment")
    op.drop_index("ix_access_session_account_id", table_name="access_session")
    op.drop_table("access_session")
    op.drop_table("queue_counter")
    op.drop_index("ix_membership_facility_id", table_name="membership")
    op.drop_index("ix_membership_account_id", table_name="membership")
    op.drop_table("membership")
    op.drop_index("ix_login_event_account_id_at", table_name="login_event")
    op.drop_table("login_event")
    op.drop_table("device")
    op.drop_index("ix_consent_patient_id", table_name="consent")
    op.drop_table("consent")
    op.drop_index("ix_clinic_session_service_id_start_at", table_name="clinic_session")
    op.drop_index("ix_clinic_session_service_code_start_at", table_name="clinic_session")
    op.drop_index("ix_clinic_session_practitioner_id_start_at", table_name="clinic_session")
    op.drop_index("ix_clinic_session_facility_id_business_date", table_name="clinic_session")
    op.drop_table("clinic_session")
    op.drop_index("ix_account_patient_patient_id", table_name="account_patient")
    op.drop_table("account_patient")
    op.drop_index("ix_schedule_exception_facility_id_from_date", table_name="schedule_exception")
    op.drop_table("schedule_exception")
    op.drop_index("ix_schedule_service_id", table_name="schedule")
    op.drop_index("ix_schedule_practitioner_id", table_name="schedule")
    op.drop_table("schedule")
    op.drop_table("queue")
    op.drop_table("on_call")
    op.drop_table("account")
    op.drop_table("service_point")
    op.drop_index(
        "ix_practitioner_name_search_trgm",
        table_name="practitioner",
        postgresql_using="gin",
        postgresql_ops={"name_search": "gin_trgm_ops"},
    )
    op.drop_index("ix_practitioner_facility_id", table_name="practitioner")
    op.drop_table("practitioner")
    op.drop_index("uq_patient_identifier_active", table_name="patient_identifier", postgresql_where="active")
    op.drop_index("ix_patient_identifier_system_value_index", table_name="patient_identifier")
    op.drop_table("patient_identifier")
    op.drop_index("ix_patient_facility_facility_id", table_name="patient_facility")
    op.drop_table("patient_facility")
    op.drop_table("integrator_client")
    op.drop_index("ix_healthcare_service_code", table_name="healthcare_service")
    op.drop_table("healthcare_service")
    op.drop_table("calendar_day")
    op.drop_table("board_event")
    op.drop_table("board")
    op.drop_index("ix_patient_phone_index", table_name="patient")
    op.drop_index(
        "ix_patient_name_search_trgm",
        table_name="patient",
        postgresql_using="gin",
        postgresql_ops={"name_search": "gin_trgm_ops"},
    )
    op.drop_table("patient")
    op.drop_index("ix_otp_challenge_phone_index_created_at", table_name="otp_challenge")
    op.drop_index("ix_otp_challenge_ip_created_at", table_name="otp_challenge")
    op.drop_table("otp_challenge")
    op.drop_table("materialised_day")
    op.drop_table("idempotency")
    op.drop_index(
        "ix_facility_name_search_trgm",
        table_name="facility",
        postgresql_using="gin",
        postgresql_ops={"name_search": "gin_trgm_ops"},
    )
    op.drop_table("facility")
    op.drop_table("directory_import")
    op.drop_index("ix_audit_event_patient_id_at", table_name="audit_event")
    op.drop_index("ix_audit_event_entity_id", table_name="audit_event")
    op.drop_table("audit_event")
    op.execute(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public "
        "REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLES FROM telehealth_app"
    )
    op.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE USAGE ON SEQUENCES FROM telehealth_app")
    op.execute("REVOKE ALL ON alembic_version FROM telehealth_app")
    op.execute("REVOKE USAGE ON SCHEMA public FROM telehealth_app")
