from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.kit.gotemplate import DOCKER_FUNCTIONS, NIL, Limits, Template, TemplateError

DATA = {
    "Name": "web",
    "Count": 3,
    "On": True,
    "Off": False,
    "None": None,
    "Labels": {"b": "2", "a": "1", "com.x/y": "z"},
    "List": ["x", "y"],
    "Objects": [{"Id": "o1", "Sub": {"Net": "n1"}}],
    "Spec": {"Mode": {"Replicated": {"Replicas": 2}}, "Ports": [{"P": 80}, {"P": 81}]},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Name}}: {{.Count}}", "web: 3"),
        ("{{ .Spec.Mode.Replicated.Replicas }}", "2"),
        ("{{json .Spec.Mode}}", '{"Replicated":{"Replicas":2}}'),
        ("{{.Spec.Mode | json}}", '{"Replicated":{"Replicas":2}}'),
        ('{{upper .Name}} {{.Name | title}} {{lower "AB"}}', "WEB Web ab"),
        ("{{.Labels}} {{.List}} {{.On}}", "map[a:1 b:2 com.x/y:z] [x y] true"),
        ('{{index .Labels "com.x/y"}}{{index .Labels "none"}}', "z"),
        ("{{index .List 1}}", "y"),
        ("{{(index .Objects 0).ID}} {{(index .Objects 0).Sub.Net}}", "o1 n1"),
        ('{{join .List ","}} {{len .List}}', "x,y 2"),
        ("{{range .Spec.Ports}}{{.P}} {{end}}", "80 81 "),
        ("{{range $i, $p := .Spec.Ports}}{{$i}}={{$p.P}};{{end}}", "0=80;1=81;"),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}},{{end}}", "a=1,b=2,com.x/y=z,"),
        ("{{range .None}}x{{else}}none{{end}}", "none"),
        ("{{if .On}}yes{{else}}no{{end}}{{if .Off}}yes{{else}}no{{end}}", "yesno"),
        ("{{if .Off}}a{{else if .On}}b{{else}}c{{end}}", "b"),
        ('{{if eq .Name "web"}}same{{end}}{{if and .On (gt .Count 2)}}!{{end}}', "same!"),
        ("{{with .Spec.Mode}}{{.Replicated.Replicas}}{{$.Name}}{{end}}", "2web"),
        ('{{printf "%s-%d-%v-%q" .Name .Count .On .Name}}', 'web-3-true-"web"'),
        ("{{println .Name}}{{print .Name .Count}}", "web\nweb3"),
        ("a {{- .Name -}} b", "awebb"),
        ("{{/* nothing */}}x", "x"),
        ("{{truncate .Name 2}}{{pad .Name 1 2}}|{{(index .List 0)}}", "we web  |x"),
        ("{{.None}}", "<no value>"),
        ('{{"quoted \\"x\\""}} {{`raw`}}', 'quoted "x" raw'),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert Template(template, DOCKER_FUNCTIONS).render(DATA) == text


@pytest.mark.parametrize(
    "template",
    ["{{.Nme}}", "{{.Name", "{{if .On}}", "{{end}}", "{{nofunction .Name}}", "{{.Name.Deeper}}", "{{}}", "{{upper}}", "{{$x}}", "{{.Name .Count}}", "{{(.Name}}", "{{! }}", "{{else}}"],
)  # fmt: skip
def test_wrong_templates(template: str) -> None:
    with pytest.raises(TemplateError):
        Template(template, DOCKER_FUNCTIONS).render(DATA)


def test_a_field_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(
        TemplateError, match='there is no field "Nme" for the template; there are: Count, Labels'
    ):
        Template("{{.Nme}}").render({"Count": 1, "Labels": {}})


GO = [
    ('{{$x := .Name}}{{$x}}{{$x = "b"}}{{$x}}', "webb"),
    ("{{$x := 1}}{{if .On}}{{$x = 2}}{{$y := 3}}{{end}}{{$x}}", "2"),
    ('{{define "t"}}<{{.}}>{{end}}{{template "t" .Name}}{{template "t"}}', "<web><<no value>>"),
    ('{{block "b" .Count}}[{{.}}]{{end}}', "[3]"),
    ('{{range .List}}{{if eq . "y"}}{{break}}{{end}}{{.}}{{end}}', "x"),
    ('{{range .List}}{{if eq . "x"}}{{continue}}{{end}}{{.}}{{end}}', "y"),
    (
        '{{html "<a & \'b\'>"}} {{urlquery "a b/&"}} {{js "it\'s <b>"}}',
        "&lt;a &amp; &#39;b&#39;&gt; a+b%2F%26 it\\'s \\u003Cb\\u003E",
    ),
    ("{{slice .Name 1}} {{slice .Name 1 2}} {{slice .List 1}}", "eb e [y]"),
    (
        '{{printf "%d" .Name}} {{printf "%s"}} {{printf "%d" 1 2}}',
        "%!d(string=web) %!s(MISSING) 1%!(EXTRA int=2)",
    ),
    (
        '{{printf "%05d|%-5s|%5s|%x|%X|%t|%.2f|%+d" 42 "a" "b" "hi" 255 true 1.239 5}}',
        "00042|a    |    b|6869|FF|true|1.24|+5",
    ),
    ('{{printf "%99999999999999d" 1}}', "%!(NOVERB)%!(EXTRA int=1)"),
    ('{{"a\\x41\\u00e9\\n"}}{{`a\\n`}}', "aAé\na\\n"),
    ("{{'a'}} {{0x1F}} {{0b11}} {{1_000}} {{1.50}} {{-3}}", "97 31 3 1000 1.5 -3"),
    ('{{"}}"}}', "}}"),
    ('{{len "é"}} {{index "ab" 1}}', "2 98"),
    ("{{and .On .Name}} {{or .Off .Name}} {{and .Off (index .List 9)}}", "web web false"),
    (
        "{{if not .Off}}a{{end}}{{with .None}}b{{else}}c{{end}}{{with .None}}b{{else with .Name}}{{.}}{{end}}",
        "acweb",
    ),
    ('{{print 1 2 "a" 3}} {{println 1 "a"}}', "1 2a3 1 a\n"),
    ("{{(.Spec).Mode.Replicated}} {{$.Name}}", "map[Replicas:2] web"),
    ("a\n{{- /* c */ -}}\nb", "ab"),
]


@pytest.mark.parametrize(("template", "text"), GO)
def test_as_go_does(template: str, text: str) -> None:
    assert Template(template).render(DATA) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{range 5}}x{{end}}",
        '{{pad "a" 99999999999999 1}}',
        pytest.param("{{" + "(" * 3000 + "1" + ")" * 3000 + "}}", id="brackets"),
        pytest.param("{{if 1}}" * 2000 + "{{end}}" * 2000, id="blocks"),
        '{{define "t"}}{{template "t"}}{{end}}{{template "t"}}',
        '{{"\\q"}}',
        '{{"\\ud800"}}',
        "{{99999999999999999999999999}}",
        "{{1 2}}",
        "{{.Name | 1}}",
        "{{$x = 1}}",
        "{{break}}",
        "{{else if .On}}",
        '{{if .On}}{{define "a"}}{{end}}{{end}}',
        '{{template "none"}}',
        "{{eq 1 \"a\"}}",
        "{{lt .List 1}}",
        "{{slice .Name 2 1}}",
        "{{index .List -1}}",
        "{{call .Name}}",
        "{{/* }}",
        "{{end x}}",
        "{{len 3}}",
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(template: str) -> None:
    with pytest.raises(TemplateError):
        Template(template, DOCKER_FUNCTIONS, strict=True).render(DATA)


@pytest.mark.parametrize(
    "template",
    [
        '{{len (printf "%400000d" 1)}}',
        "{{range .L}}{{range $.L}}{{range $.L}}{{end}}{{end}}{{end}}",
        '{{range .L}}{{printf "%1000s" "x"}}{{end}}',
    ],
)
def test_what_others_may_use_is_bounded(template: str) -> None:
    data = {"L": list(range(100))}
    with pytest.raises(TemplateError, match="too"):
        Template(template, limits=Limits(characters=50_000, steps=10_000)).render(data)


_PIECES = st.sampled_from(
    ["{{", "}}", "{{- ", " -}}", ".", ".Name", "$", "$x", ":=", "=", "|", "(", ")", ",", '"a"', "`", "'", "1", "-", "0x", "/*", "*/",
     "if ", "else ", "end", "range ", "with ", "define ", "template ", "block ", "break", "printf ", "index ", "slice ", "len ", "eq ", " ", "\\", "%d", "x"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_any_text_gives_a_text_or_a_template_error(source: str) -> None:
    try:
        text = Template(source, DOCKER_FUNCTIONS, limits=Limits()).render(DATA)
    except TemplateError:
        return
    assert isinstance(text, str)


def test_a_pointer_to_nothing_is_no_missing_value():
    row = {"There": NIL}
    assert Template(
        "{{.There}} {{json .}} {{if .There}}yes{{else}}no{{end}}", DOCKER_FUNCTIONS
    ).render(row) == ('<nil> {"There":null} no')
