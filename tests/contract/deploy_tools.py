"""Runs in the environment of deploy-requirements.txt: checks the JSON on stdin and answers with JSON."""

import json
import sys

content = json.load(sys.stdin)
answer: object
if sys.argv[1] == "compose":
    from compose_spec import PyCompose

    compose = PyCompose.from_json(json.dumps(content))
    compose.validate()
    answer = compose.service_names()
elif sys.argv[1] == "promql":
    from promql_parser import parse

    answer = len([parse(expression) for expression in content])
else:  # `helm lint --strict` and `helm template`, by Helm's own library
    import helm_python as helm

    chart, values = content
    report = helm.lint(chart, values, strict=True)
    with helm.Chart.load(chart) as loaded:
        answer = {"lint": report["messages"], "manifests": loaded.render(values, name="reach", namespace="mcp")}
json.dump(answer, sys.stdout)
