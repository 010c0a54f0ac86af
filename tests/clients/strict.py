"""What a server answers, held against what it lists: by jsonschema, with no field that is not declared, failures too; and what the
client itself complains of is a failure.
"""

import logging

from jsonschema import Draft202012Validator

ERROR = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "pattern": "^[a-z_]+$"},
        "message": {"type": "string", "minLength": 1},
        "hint": {"type": "string", "minLength": 1},
        "retryable": {"type": "boolean"},
    },
    "required": ["code", "message", "hint", "retryable"],
    "additionalProperties": False,
}


def closed(schema):
    """The schema, in which what is not declared may not be."""
    if not isinstance(schema, dict):
        return schema
    shut = {name: closed(part) for name, part in schema.items()}
    if "properties" in schema:
        shut["properties"] = {name: closed(part) for name, part in schema["properties"].items()}
        shut["additionalProperties"] = False
    return shut


class Answers:
    """The schemas of what is listed."""

    def __init__(self, tools):
        self.validators = {}
        for tool in tools:
            Draft202012Validator.check_schema(tool.input_schema)
            Draft202012Validator.check_schema(tool.output_schema)
            self.validators[tool.name] = Draft202012Validator(closed(tool.output_schema))

    def check(self, tool, result):
        """Holds an answer against its tool's schema."""
        structured = result.structured_content
        assert isinstance(structured, dict), f"{tool}: {structured}"
        for error in self.validators[tool].iter_errors(structured):
            raise AssertionError(f"{tool}: {error.message} at {list(error.absolute_path)}: {structured}")
        if result.is_error:
            assert list(structured) == ["error"], f"{tool}: {structured}"
            Draft202012Validator(ERROR).validate(structured["error"])
        else:
            assert "error" not in structured, f"{tool}: {structured}"


class Complaints(logging.Handler):
    """What the client says of its server's messages."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []
        logging.getLogger().addHandler(self)

    def emit(self, record):
        self.said.append(record.getMessage())

    def none(self):
        """Fails if there was one."""
        assert not self.said, self.said
