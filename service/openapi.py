"""The API's description, generated from the code."""


def openapi_yaml() -> str:
    """The whole description as YAML text."""
    return ""
