"""Start a server on a state folder, say who runs it and where, stop it."""

import os
import sys
from pathlib import Path

import psutil

from telehealth.embedded.home import open_home
from telehealth.embedded.place import running_server
from telehealth.embedded.postgres import settle

home = open_home(Path(sys.argv[1]))
cluster = settle(home, os.environ, durable=False)
with running_server(home, cluster) as (server, _):
    process = psutil.Process(server.pid)
    print(process.uids().real, process.username())
    print(cluster.data)
