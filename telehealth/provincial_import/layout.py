"""The tables of the province's files and their columns; what may be left out is told apart."""

from collections.abc import Mapping

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "facilities": (
        "facility_code",
        "national_code",
        "name",
        "kind",
        "care_level",
        "parent_code",
        "address",
        "area",
        "province",
        "latitude",
        "longitude",
        "hotline",
        "hours",
        "after_hours",
    ),
    "services": (
        "facility_code",
        "service_code",
        "name_vi",
        "name_en",
        "duration_minutes",
        "price_insured_vnd",
        "price_self_vnd",
        "price_on_request_vnd",
        "price_after_hours_vnd",
        "modalities",
        "online_booking",
        "online_share_percent",
    ),
    "practitioners": ("licence_no", "name", "title", "specialty", "facility_code", "phone", "email"),
    "service_points": ("facility_code", "point_code", "name", "kind"),
    "rosters": (
        "facility_code",
        "licence_no",
        "service_code",
        "modality",
        "weekdays",
        "start",
        "end",
        "slot_minutes",
        "capacity",
        "room",
        "valid_from",
        "valid_to",
    ),
    "exceptions": (
        "licence_no",
        "facility_code",
        "kind",
        "from_date",
        "to_date",
        "start",
        "end",
        "service_code",
        "modality",
        "slot_minutes",
        "capacity",
        "room",
        "like_weekday",
        "note",
    ),
    "oncall": ("facility_code", "specialty", "date", "first_licence_no", "second_licence_no"),
}

OPTIONAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "rosters": (
        "every_weeks",
        "mode",
        "lead_minutes",
        "tail_minutes",
        "overbook_most",
        "services",
        "resources",
        "quotas",
    ),
}

OPTIONAL_TABLES: Mapping[str, tuple[str, ...]] = {
    "resources": ("facility_code", "resource_code", "name", "kind", "lanes"),
    "policies": (
        "facility_code",
        "service_code",
        "min_notice_minutes",
        "window_days",
        "release",
        "cancel_notice_minutes",
        "hold_seconds",
    ),
    "limits": ("licence_no", "patients_per_day"),
}

TABLES: Mapping[str, tuple[str, ...]] = {**COLUMNS, **OPTIONAL_TABLES}
