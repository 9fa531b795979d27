"""On-demand functions of Feast as expressions: what is understood, and what is said of the rest."""

from __future__ import annotations

import textwrap

import pytest

from e2e_ml.festaf.feast.bodies import NotAnExpressionError, expressions

COLUMNS = {"rate": "Driver.rate", "trips": "Driver.trips", "driver__rate": "Driver.rate", "add": "add"}


def function(body: str, argument: str = "inputs: pd.DataFrame", head: str = "") -> str:
    return f"{head}def transformed({argument}) -> pd.DataFrame:\n" + textwrap.indent(textwrap.dedent(body), "    ")


UNDERSTOOD = {
    "columns of a frame": (
        """
        '''What it does.'''
        df = pd.DataFrame()
        df["a"] = inputs["rate"] + inputs["add"]
        df["b"] = (df["a"] - 1) * 2
        return df
        """,
        {"a": "Driver.rate + add", "b": "(Driver.rate + add - 1) * 2"},
    ),
    "a frame of a dictionary": (
        """return pd.DataFrame({"a": inputs["rate"] / inputs["trips"], "b": inputs["driver__rate"] > 0.5})""",
        {"a": "Driver.rate / Driver.trips", "b": "Driver.rate > 0.5"},
    ),
    "names on the way": (
        """
        rate = inputs["rate"].fillna(0)
        busy: pd.Series = (inputs["trips"] >= 10) & ~(rate == 0)
        out = {"a": -rate.abs(), "b": busy, "c": inputs["rate"].isna()}
        return out
        """,
        {
            "a": "-Driver.rate.fill_null(0).abs()",
            "b": "(Driver.trips >= 10) & ~(Driver.rate.fill_null(0) == 0)",
            "c": "Driver.rate.is_null()",
        },
    ),
    "the inputs themselves": (
        """
        inputs["a"] = inputs["rate"].clip(0, 1)
        inputs["b"] = np.exp(inputs["a"])
        return inputs
        """,
        {"a": "Driver.rate.clip(0, 1)", "b": "Driver.rate.clip(0, 1).exp()"},
    ),
    "a copy with more": (
        """
        out = inputs.copy().assign(a=np.abs(inputs["rate"]))
        return out.assign(b=out["a"] + 1, c=np.where(out["a"] > 1, 1, 0))
        """,
        {
            "a": "Driver.rate.abs()",
            "b": "Driver.rate.abs() + 1",
            "c": "fs.when(Driver.rate.abs() > 1).then(1).otherwise(0)",
        },
    ),
    "rows in Python mode": (
        """
        return {
            "a": [rate * 2 for rate in inputs["rate"]],
            "b": [r + t for r, t in zip(inputs["rate"], inputs["trips"])],
        }
        """,
        {"a": "Driver.rate * 2", "b": "Driver.rate + Driver.trips"},
    ),
}


@pytest.mark.parametrize(("body", "wanted"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_plain_arithmetic_is_an_expression(body: str, wanted: dict[str, str]) -> None:
    assert expressions(function(body), COLUMNS) == wanted
    assert expressions(function(body, head="@on_demand_feature_view(mode='pandas')\n"), COLUMNS) == wanted


LEFT = {
    "a library": ("""return pd.DataFrame({"a": np.log(inputs["rate"])})""", "it says `np.log(inputs['rate'])`"),
    "a function of one's own": ("""return {"a": normal(inputs["rate"])}""", "it says `normal(inputs['rate'])`"),
    "a loop": ("for x in inputs['rate']:\n    pass\nreturn {}", "line 2 says `for x in inputs['rate']:`"),
    "a condition": ("""return {"a": [r if r else 0 for r in inputs["rate"]]}""", "it says `r if r else 0`"),
    "a column of nobody": ("""return {"a": inputs["wage"]}""", "it reads 'wage', which is none of its inputs"),
    "a chain of comparisons": ("""return {"a": 0 < inputs["rate"] < 1}""", "it says `0 < inputs['rate'] < 1`"),
    "some rows": ("""return {"a": [r for r in inputs["rate"] if r]}""", "it says `[r for r in inputs['rate'] if r]`"),
    "nothing new": ("return inputs", "line 2 says `return inputs`"),
    "a lambda": (
        """return inputs.assign(a=lambda d: d["rate"])""",
        "line 2 says `return inputs.assign(a=lambda d: d['rate'])`",
    ),
    "a feature as it was": (
        """out = inputs.copy()\nreturn {"a": out["wage"]}""",
        "it reads 'wage', which is none of its inputs",
    ),
    "nothing": ("df = pd.DataFrame()", "it returns nothing"),
    "a method": ("""return {"a": inputs["rate"].rolling(3).mean()}""", "it says `inputs['rate'].rolling(3).mean()`"),
}


@pytest.mark.parametrize(("body", "reason"), LEFT.values(), ids=LEFT)
def test_what_says_more_is_left_with_a_reason(body: str, reason: str) -> None:
    with pytest.raises(NotAnExpressionError) as refused:
        expressions(function(body), COLUMNS)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("lambda inputs: inputs", "it is no function with a name"),
        ("def half(", "its source is not kept whole"),
        ("def two(a, b):\n    return a", "it takes more than its inputs"),
    ],
)
def test_what_is_no_function_of_inputs(code: str, reason: str) -> None:
    with pytest.raises(NotAnExpressionError, match=reason):
        expressions(code, COLUMNS)
