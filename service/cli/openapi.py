"""`spendgate openapi`: the API description, made from the code."""

import click


@click.command()
def openapi() -> None:
    """Print the API description (OpenAPI, as YAML)."""
    from service.openapi import openapi_yaml

    click.echo(openapi_yaml(), nl=False)
