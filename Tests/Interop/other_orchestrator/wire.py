"""JSON texts, errors and schemas, as the specification's errors.yaml and methods/ state them."""

import json
import re


class Number(float):
    """A number that is no plain integer; it keeps its text, for ids are echoed with theirs."""

    def __new__(cls, text):
        number = super().__new__(cls, text)
        number.text = text
        return number


class ParseFailure(Exception):
    pass


class Refusal(Exception):
    """An error of the protocol's table on its way to a client."""

    def __init__(self, code, text, **data):
        super().__init__(text)
        self.code, self.text, self.data = code, text, data

    def object(self):
        return {"code": self.code, "message": self.text, "data": self.data}


def invalid_request(detail):
    return Refusal(-32600, f"Invalid request: {detail}")


def method_not_found(method):
    return Refusal(-32601, f"Unknown method: {method}")


def invalid_params(path, keyword, detail):
    if keyword == "required":
        text = "Missing " + path.rsplit("/", 1)[1]
    elif path == "":
        text = f"Invalid params: {detail}"
    else:
        text = f"Invalid params: {path}: {detail}"
    return Refusal(-32602, text, path=path, keyword=keyword)


def members(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ParseFailure("a key stands twice in one object")
    return result


def constant(text):
    raise ParseFailure(f"{text} is no JSON")


def depth(value):
    deepest, stack = 0, [(value, 1)]
    while stack:
        value, level = stack.pop()
        deepest = max(deepest, level)
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        stack.extend((each, level + 1) for each in inner)
    return deepest


def parse(text):
    try:
        value = json.loads(
            text, object_pairs_hook=members, parse_float=Number, parse_constant=constant)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ParseFailure("more than 64 levels") from error
    except ValueError as error:  # UnicodeEncodeError too: half of a surrogate pair
        raise ParseFailure(str(error)) from error
    if depth(value) > 64:
        raise ParseFailure("more than 64 levels")
    return value


def dump(value, odd=False):
    """Like json.dumps, but a number that was read keeps its text. Odd is another text for the same
    value: members the other way round, space between tokens, nothing but ASCII."""
    if isinstance(value, Number):
        return value.text
    space = " \n\t" if odd else ""
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}{space}:{space}{dump(each, odd)}" for key, each in value.items()]
        return "{" + f"{space},".join(reversed(items) if odd else items) + space + "}"
    if isinstance(value, list):
        return f"[{space}" + f",{space}".join(dump(each, odd) for each in value) + "]"
    return json.dumps(value, ensure_ascii=odd)


TYPES = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "integer": lambda value: not isinstance(value, bool)
    and (isinstance(value, int) or isinstance(value, float) and value.is_integer()),
    "number": lambda value: not isinstance(value, bool) and isinstance(value, (int, float)),
}


def pointer(path, name):
    return path + "/" + str(name).replace("~", "~0").replace("/", "~1")


def check(schema, value, path=""):
    """Raises invalid_params for the first thing that does not fit."""

    def refuse(keyword, detail):
        raise invalid_params(path, keyword, detail)

    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(TYPES[each](value) for each in types):
        refuse("type", "must be an object" if types == ["object"] else "must be " + " or ".join(types))
    if "enum" in schema and not (isinstance(value, str) and value in schema["enum"]):
        refuse("enum", "must be one of " + ", ".join(schema["enum"]))
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            refuse("minLength", "is too short")
        if len(value) > schema.get("maxLength", len(value)):
            refuse("maxLength", f"has more than {schema['maxLength']} characters")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            refuse("pattern", "holds nothing but space")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            refuse("minimum", f"is less than {schema['minimum']}")
        if value > schema.get("maximum", value):
            refuse("maximum", f"is more than {schema['maximum']}")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            refuse("minItems", "has too few items")
        if len(value) > schema.get("maxItems", len(value)):
            refuse("maxItems", f"has more than {schema['maxItems']} items")
        for index, each in enumerate(value):
            check(schema.get("items", {}), each, pointer(path, index))
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                raise invalid_params(pointer(path, name), "required", "")
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                check(inner, value[name], pointer(path, name))
