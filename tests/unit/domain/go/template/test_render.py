"""Output of templates."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from img.domain.errors import ImgError
from img.domain.go.template.render import Template
from img.domain.go.template.values import NO_LIST, NO_NAMES, Names, TemplateError, Value, plain

IMAGE: Value = {
    "Id": "sha256:0123456789",
    "RepoTags": ["app:1", "app:2"],
    "Size": 1536,
    "Config": {
        "Env": ["A=1", "B=2"],
        "Cmd": NO_LIST,
        "Labels": Names({"b.c": "x", "a": "y <z>"}),
        "ExposedPorts": NO_NAMES,
        "User": "",
    },
    "Ratio": 0.5,
    "Big": True,
    "Nothing": None,
}


def rendered(template: str) -> str:
    return Template(template).render(IMAGE)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{.Id}}", "sha256:0123456789"),
        ("{{ .ID }}{{/* no */}}", "sha256:0123456789"),
        ("{{.Config.Env}}", "[A=1 B=2]"),
        ("{{.Config.Cmd}} {{.Config.ExposedPorts}}", "[] map[]"),
        ("{{.Config.Labels}}", "map[a:y <z> b.c:x]"),
        ("{{.Config.Labels.a}}|{{.Config.Labels.none}}", "y <z>|<no value>"),
        ("{{.Nothing}}", "<no value>"),
        ("{{.Ratio}} {{.Big}} {{.Size}}", "0.5 true 1536"),
        ("{{json .Config.Env}}", '["A=1","B=2"]'),
        ("{{json .Config.Cmd}}", "null"),
        ("{{json .Config.Labels}}", '{"a":"y <z>","b.c":"x"}'),
        ("{{.Config | json | len}}", "95"),
        ('{{index .Config.Labels "b.c"}}', "x"),
        ('{{index .Config.Labels "none"}}', ""),
        ("{{index .RepoTags 0}} {{index .Config.Env 1}}", "app:1 B=2"),
        ('{{join .RepoTags ", "}}', "app:1, app:2"),
        ('{{join .Config.Cmd " "}}', ""),
        ("{{len .RepoTags}} {{len .Config.Cmd}} {{len .Id}}", "2 0 17"),
        ("{{range .RepoTags}}<{{.}}>{{end}}", "<app:1><app:2>"),
        ("{{range $i, $t := .RepoTags}}{{$i}}={{$t}} {{end}}", "0=app:1 1=app:2 "),
        ("{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}},{{end}}", "a:y <z>,b.c:x,"),
        ("{{range .Config.Cmd}}x{{else}}none{{end}}", "none"),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
        ("{{range .Config.Env}}{{if eq . \"A=1\"}}{{continue}}{{end}}{{.}}{{end}}", "B=2"),
        ("{{range .Config.Env}}{{.}}{{break}}{{end}}", "A=1"),
        ("{{if .Config.User}}u{{else}}root{{end}}", "root"),
        ("{{if .Config.Cmd}}c{{else if .Size}}s{{else}}e{{end}}", "s"),
        ("{{if and .Big (gt .Size 1000)}}big{{end}}", "big"),
        ('{{or .Config.User "root"}}', "root"),
        ("{{not .Big}}", "false"),
        ("{{with .Config}}{{.User}}{{$.Id}}{{end}}", "sha256:0123456789"),
        ("{{with .Config.User}}x{{else}}y{{end}}", "y"),
        ("{{$x := .Size}}{{$x = 3}}{{$x}}", "3"),
        ("{{$x := 1}}{{range .RepoTags}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ('{{upper "abc"}}{{lower "ABC"}}{{title "a bc"}}', "ABCabcA Bc"),
        ('{{index (split .Id ":") 1}}', "0123456789"),
        ("{{slice .Id 7 11}}", "0123"),
        ('{{truncate .Id 6}}{{pad "x" 1 2}}.', "sha256 x  ."),
        ('{{printf "%s|%5d|%-4s|%q|%v" .Id 42 "ab" "c" .RepoTags}}',
         'sha256:0123456789|   42|ab  |"c"|[app:1 app:2]'),
        ('{{printf "%.2f%% %05d %x" .Ratio 42 255}}', "0.50% 00042 ff"),
        ('{{printf "%d" "a"}} {{printf "%d"}}', "%!d(string=a) %!d(MISSING)"),
        ('{{print 1 2 "a" 3}} {{println "a" 1}}', "1 2a3 a 1\n"),
        ("a  {{- .Size -}}  b", "a1536b"),
        ("{{- /* c */ -}} x", "x"),
        ('{{"quoted \\"x\\"\\n"}}{{`raw\\n`}}', 'quoted "x"\nraw\\n'),
        ("{{(index .RepoTags 0) | upper}}", "APP:1"),
        ("{{(.Config).User}}{{.Config.Labels.a | printf \"%s!\"}}", "y <z>!"),
        ("{{eq .Size 1 1536}} {{ne 1 2}} {{le 1 1}} {{lt 2 1}}", "true true true false"),
        ("{{html .Config.Labels.a}}", "y &lt;z&gt;"),
        ("{{true}} {{nil | json}} {{'a'}} {{0x10}} {{1e3}}", "true null 97 16 1000"),
        ("{{range 3}}{{.}}{{end}}", "012"),
    ],
)  # fmt: skip
def test_what_go_makes_of_it(template: str, text: str) -> None:
    assert rendered(template) == text


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{", "has no end"),
        ("{{.Id", "has no end"),
        ("{{}}", "missing value"),
        ("{{.Nope}}", 'no field "Nope"'),
        ("{{.Id.Nope}}", "a string has no field Nope"),
        ("{{nope .Id}}", 'function "nope" not defined'),
        ("{{if .Id}}", "no {{end}}"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{range .Id}}{{end}}", "range over a string"),
        ("{{index .RepoTags 2}}", "out of range"),
        ("{{index .RepoTags -1}}", "out of range"),
        ('{{index .RepoTags "a"}}', "cannot index with"),
        ("{{json}}", "wrong number of arguments of json"),
        ("{{len .Size}}", "len of a number"),
        ("{{$x}}", 'undefined variable "$x"'),
        ("{{.Id .Size}}", "no function"),
        ("{{.Id | .Size}}", "only a function"),
        ('{{eq "a" 1}}', "cannot be compared"),
        ("{{eq .RepoTags .RepoTags}}", "cannot be compared"),
        ("{{(.Id}}", "unclosed left paren"),
        ("{{.Id)}}", "unexpected"),
        ('{{template "x"}}', "not supported"),
        ("{{break}}", "not defined"),
        ('{{printf "%99999d" 1}}', "wider than"),
        ("{{" + "(" * 100 + "1" + ")" * 100 + "}}", "parentheses in one another"),
        ("{{if 1}}" * 100 + "{{end}}" * 100, "branches in one another"),
        ("{{1" + "0" * 5000 + "}}", "too long a number"),
        ("{{range 99999}}{{range 99999}}{{end}}{{end}}", "steps"),
        ('{{$x := "aaaaaaaa"}}{{range 40}}{{$x = print $x $x}}{{end}}', "characters"),
        ("{{1}}" * 20_000, "more than 10000 words"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said(template: str, reason: str) -> None:
    with pytest.raises(TemplateError) as error:
        rendered(template)

    assert reason in error.value.message


_WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        """ {{ }} {{- -}} {{/* */}} . .Id .Config .Labels $ $x := = | ( ) , range if with else index
        {{else}} {{end}} len json printf print slice join split pad and or not eq lt truncate "%5d"
        "a" `b` 'c' 0 1 -1 1e9 true nil break continue text \x00 {{.Id}} {{range """,
    )
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(Names),
        st.just(NO_LIST),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.lists(_WORDS, max_size=25).map(" ".join), st.text(max_size=60)), _VALUES)
@example("{{json .}}", "\x1b")
@example("{{.}}", {"a": [1]})
def test_any_template_makes_a_text_or_is_refused(template: str, value: Value) -> None:
    for given_value in (IMAGE, value):
        try:
            assert isinstance(Template(template).render(given_value), str)
        except ImgError as error:
            assert "\n" not in error.message or "\n" in template


@given(_VALUES)
def test_json_is_json(value: Value) -> None:
    text = Template("{{json .}}").render(value)

    assert text.isprintable() or not text.isascii()
    try:
        wanted = json.loads(json.dumps(plain(value)))
    except ValueError:
        return
    assert json.loads(text) == wanted or "nan" in repr(value) or "inf" in repr(value)


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{len .}}", "4"),
        ("{{index . 0}}", "97"),
        ("{{slice . 0 1}}", "a"),
        ("{{slice . 1 2}}", "�"),
    ],
)
def test_text_that_is_no_unicode_has_bytes_too(template: str, result: str) -> None:
    assert Template(template).render("a\ud800") == result
