"""The database and its two roles: the owner, who migrates; the application, which uses what it is granted."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from telehealth.embedded.postgres import Cluster

DATABASE = "telehealth"
OWNER = "telehealth_owner"
APP = "telehealth_app"
EXTENSIONS = ("btree_gist", "pg_trgm")
RESTRICTED = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


@dataclass(frozen=True, slots=True)
class Passwords:
    """The roles' passwords. The cluster follows them at each start, so that a restored file is enough."""

    owner: str
    app: str


def provision(cluster: Cluster, passwords: Passwords, database: str = DATABASE) -> dict[str, str]:
    """Make roles, database and extensions where they are missing; returns the addresses by setting name."""
    with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
        _role(connection, OWNER, passwords.owner)
        _role(connection, APP, passwords.app)
        connection.execute(sql.SQL("ALTER ROLE {} SET lock_timeout = '2s'").format(sql.Identifier(APP)))
        _database(connection, database)
    with psycopg.connect(cluster.conninfo(database), autocommit=True) as connection:
        for extension in EXTENSIONS:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
    app = cluster.address(APP, passwords.app, database)
    return {
        "DATABASE_URL": app,
        "DATABASE_OWNER_URL": cluster.address(OWNER, passwords.owner, database),
        "DATABASE_DIRECT_URL": app,
    }


def _role(connection: "psycopg.Connection[tuple[object, ...]]", name: str, password: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    command = "ALTER ROLE {} " if known else "CREATE ROLE {} "
    connection.execute(
        sql.SQL(command + RESTRICTED + " PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
    )


def _database(connection: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                sql.Identifier(name), sql.Identifier(OWNER)
            )
        )
    for statement in ("REVOKE ALL ON DATABASE {} FROM PUBLIC", f"GRANT CONNECT ON DATABASE {{}} TO {APP}"):
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
