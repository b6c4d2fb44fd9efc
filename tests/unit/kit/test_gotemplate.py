from __future__ import annotations

import pytest

from hivelet.kit.gotemplate import Template, TemplateError

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
    assert Template(template).render(DATA) == text


@pytest.mark.parametrize(
    "template",
    ["{{.Nme}}", "{{.Name", "{{if .On}}", "{{end}}", "{{nofunction .Name}}", "{{.Name.Deeper}}", "{{}}", "{{upper}}", "{{$x}}", "{{.Name .Count}}", "{{(.Name}}", "{{! }}", "{{else}}"],
)  # fmt: skip
def test_wrong_templates(template: str) -> None:
    with pytest.raises(TemplateError):
        Template(template).render(DATA)


def test_a_field_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(
        TemplateError, match='there is no field "Nme" for the template; there are: Count, Labels'
    ):
        Template("{{.Nme}}").render({"Count": 1, "Labels": {}})
