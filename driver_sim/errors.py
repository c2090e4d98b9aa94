"""Errors of a run."""


class NoBroker(Exception):
    """The service gives drivers no MQTT broker."""

    def __init__(self) -> None:
        super().__init__("The service has no MQTT broker for drivers; set TRACKER_MQTT_URL there")


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group, at any depth. The others are its consequences or duplicates."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class NoPin(Exception):
    """An order needs a PIN that the simulator has no way to know."""
