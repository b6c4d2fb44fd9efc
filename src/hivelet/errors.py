"""Every error category of hivelet, and nothing else.

The categories are the Docker Engine's; only `hivelet.api.errors` knows their status codes and only
`hivelet.cli.main` knows exit codes. Components subclass (`class TaskUnknown(NotFound)`)::

    HiveletError
    ├── InvalidParameter   the request is wrong as it stands            400
    ├── Unauthorized       credentials are missing or not accepted      401
    ├── Forbidden          understood, and refused                      403
    ├── NotFound           the named object does not exist              404
    ├── Conflict           the object's present state forbids it        409
    │   └── OutOfSequence  somebody else wrote the object in between    500 in Docker's mapping
    ├── Unavailable        not now; the same request may work later     503
    ├── NotImplemented     hivelet does not do this                     501
    └── System             the machine or a program on it failed        500

Messages are whole sentences for the user: they name the thing, what is wrong and the way out.
"""

from __future__ import annotations


class HiveletError(Exception):
    """The root of all errors that hivelet raises on purpose."""

    @property
    def message(self) -> str:
        """The sentence for the user."""
        return str(self.args[0]) if self.args else type(self).__name__


class InvalidParameter(HiveletError):
    """The request is wrong as it stands; repeating it cannot help."""


class Unauthorized(HiveletError):
    """Credentials are missing or were not accepted."""


class Forbidden(HiveletError):
    """The request was understood and is refused."""


class NotFound(HiveletError):
    """The named object does not exist."""


class Conflict(HiveletError):
    """The present state of an object forbids the request."""


class OutOfSequence(Conflict):
    """The version given with a write is not the object's current version."""

    def __init__(self, message: str = "update out of sequence") -> None:
        super().__init__(message)


class Unavailable(HiveletError):
    """Not possible now; the same request may work later."""


class NotImplemented(HiveletError):  # noqa: A001 - Docker's word for the category
    """hivelet does not do this."""


class System(HiveletError):
    """The machine, or a program on it, failed."""


class NotASwarmManager(Unavailable):
    """A swarm command reached a node that is not in a swarm."""

    def __init__(self) -> None:
        super().__init__(
            "This node is not a swarm manager. Use "
            '"docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
        )


class SwarmLocked(NotASwarmManager):
    """A swarm command reached a node whose state is locked; in Docker's words."""

    def __init__(self) -> None:
        Unavailable.__init__(
            self,
            "Swarm is encrypted and needs to be unlocked before it can be used. "
            'Please use "docker swarm unlock" to unlock it.',
        )
