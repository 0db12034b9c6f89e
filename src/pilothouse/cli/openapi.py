"""`pilothouse openapi`: the contract of the API, as JSON."""

from pilothouse.cli.options import Json, Token, Url


def openapi(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Print the OpenAPI document of the house that runs: every route, every field, with examples."""
    import json
    import sys

    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        document = house.get("/openapi.json")
    if as_json:
        show.print_json(document)
    else:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
