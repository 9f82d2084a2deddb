"""The OpenAPI document as a page for people."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from annotateforge.gateway.html_page import prose

Node = Mapping[str, Any]


def docs_body(document: Node) -> str:
    """The body of the page: the operations by tag, then the schemas."""
    return "".join(_body(document))


def _body(document: Node) -> Iterator[str]:
    info = document["info"]
    yield f"<header><h1>{escape(info['title'])} API</h1>"
    yield f'<p class="soft">Version {escape(info["version"])}'
    yield ' · <a href="/api/v1/openapi.json">OpenAPI 3.1</a> · <a href="/">Home</a></p></header><main>'
    yield prose(info["description"])
    operations: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            shown = _operation(path, method, operation)
            operations.setdefault(operation["tags"][0], []).append(shown)
    about = {tag["name"]: tag["description"] for tag in document["tags"]}
    yield '<nav aria-label="Parts">'
    yield from (f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in operations)
    yield '<a href="#schemas">schemas</a></nav>'
    for tag, shown_operations in operations.items():
        yield f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{prose(about.get(tag, ""))}'
        yield from shown_operations
    yield '<h2 id="schemas">schemas</h2>'
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary><span class="path">{escape(name)}</span></summary>'
        yield f"{prose(schema.get('description', ''))}{_schema_body(schema)}</details>"
    yield "</main>\n"


def _operation(path: str, method: str, operation: Node) -> str:
    parts = [
        f'<details id="{escape(operation["operationId"])}"><summary>',
        f'<span class="method">{escape(method.upper())}</span> <span class="path">{escape(path)}</span> ',
        f'<span class="soft">{escape(operation["summary"])}</span></summary>',
        prose(operation.get("description", "")),
    ]
    if operation.get("parameters"):
        rows = [
            (
                parameter["name"],
                f"{parameter['in']}{', required' if parameter.get('required') else ''}",
                _type(parameter["schema"]),
                prose(parameter.get("description", "")),
            )
            for parameter in operation["parameters"]
        ]
        parts.append(f"<h3>Parameters</h3>{_table(('name', 'in', 'type', 'meaning'), rows)}")
    if "requestBody" in operation:
        parts.append(f"<h3>Body</h3>{_content(operation['requestBody']['content'])}")
    answers = [
        (
            status,
            _type(response) if "$ref" in response else _content(response.get("content", {})),
            prose(response.get("description", "")),
        )
        for status, response in operation["responses"].items()
    ]
    parts.append(f"<h3>Answers</h3>{_table(('status', 'body', 'meaning'), answers)}</details>")
    return "".join(parts)


def _content(content: Node) -> str:
    return "<br>".join(
        f"<code>{escape(kind)}</code> {_type(media['schema'])}" for kind, media in content.items()
    )


def _schema_body(schema: Node) -> str:
    if "oneOf" in schema:
        return "<p>One of " + ", ".join(_type(option) for option in schema["oneOf"]) + "</p>"
    if "properties" not in schema:
        return f"<p>{_type(schema)}</p>"
    required = schema.get("required", ())
    rows = [
        (
            name,
            _type(shown)
            + (" <em>required</em>" if name in required else "")
            + (" <em>read-only</em>" if shown.get("readOnly") else ""),
            prose(shown.get("description", "")),
        )
        for name, shown in schema["properties"].items()
    ]
    return _table(("field", "type", "meaning"), rows)


def _type(schema: Node) -> str:
    """What a value is, in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if "enum" in schema:
        return " ".join(f"<code>{escape(value)}</code>" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map to {_type(schema['additionalProperties'])}"
    if kind == "object" and "properties" in schema:
        return "object of " + ", ".join(
            f"<code>{escape(name)}</code> {_type(shown)}" for name, shown in schema["properties"].items()
        )
    form = schema.get("format") or schema.get("contentEncoding")
    return escape(f"{kind} ({form})" if form else kind)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(first)}</code></td>" + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    return (
        "<table><thead><tr>"
        + "".join(f"<th>{name}</th>" for name in head)
        + f"</tr></thead><tbody>{cells}</tbody></table>"
    )
