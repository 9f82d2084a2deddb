"""Every route of the protos is reached by its own path, whatever stands in it."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.gateway.route import resource_paths
from annotateforge.gateway.services import SERVICES
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rest.rules import Binding, MethodNotAllowed, Router, bindings_of

BINDINGS = [binding for service in SERVICES.values() for binding in bindings_of(service)]
ROUTER = Router(BINDINGS)

# A path segment that reads like a verb of a neighbouring route is encoded, see quote_segment.
values = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def label(binding: Binding) -> str:
    return f"{binding.http_method} {binding.template.text}"


@pytest.mark.parametrize("binding", BINDINGS, ids=label)
@given(data=st.data())
def test_a_route_finds_itself_and_its_values(binding: Binding, data: st.DataObject) -> None:
    wanted: Mapping[str, str] = {
        variable.field: data.draw(values, variable.field) for variable in binding.template.variables
    }
    match = ROUTER.match(binding.http_method, binding.template.expand(wanted.__getitem__))
    assert match.captures == wanted
    assert match.binding is binding


@given(method=st.sampled_from(["GET", "POST", "FOO"]), path=st.text())
def test_any_other_path_is_refused_politely(method: str, path: str) -> None:
    for sent in (path, f"/{path}", f"/api/v1/{path}"):
        try:
            ROUTER.match(method, sent)
        except (DomainError, MethodNotAllowed):
            continue


def test_resources_are_read_where_their_get_is() -> None:
    paths = {name.rpartition(".")[2]: template.text for name, template in resource_paths(BINDINGS).items()}
    assert paths == {
        "Project": "/api/v1/projects/{project_id}",
        "Image": "/api/v1/images/{image_id}",
        "Dataset": "/api/v1/datasets/{dataset_id}",
        "Job": "/api/v1/training/jobs/{job_id}",
        "Sweep": "/api/v1/training/sweeps/{sweep_id}",
        "Model": "/api/v1/training/models/{model_id}",
    }
