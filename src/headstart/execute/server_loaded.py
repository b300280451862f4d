"""Imported last by the server that workers are forked from: it now forks, and has no other thread."""

from headstart.execute.server_loading import stop_watch

stop_watch()
