"""Handlers of projects."""

from typing import Any
from uuid import UUID

import grpc

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset.projects import check_texts
from annotateforge.dataset.rpc.messages import project_message, stats_message
from annotateforge.dataset.store import projects as store
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.database import Pool
from annotateforge.runtime.ids import new_id, parse_id
from annotateforge.runtime.paging import read_page

Context = grpc.aio.ServicerContext[Any, Any]

_DELETE_TIMEOUT = 300.0


class ProjectHandlers:
    """CreateProject to GetProjectStats."""

    def __init__(self, pool: Pool, sweep: BlobSweep) -> None:
        self._pool = pool
        self._sweep = sweep

    async def CreateProject(
        self, request: api.CreateProjectRequest, context: Context
    ) -> api.CreateProjectResponse:
        name = request.name.strip()
        check_texts(name, request.description)
        async with self._pool.acquire() as connection:
            project = await store.insert_project(connection, new_id(), name, request.description)
        return api.CreateProjectResponse(project=project_message(project))

    async def GetProject(self, request: api.GetProjectRequest, context: Context) -> api.GetProjectResponse:
        project_id = parse_id(request.project_id, "project_id")
        async with self._pool.acquire() as connection:
            project = await store.get_project(connection, project_id)
        return api.GetProjectResponse(project=project_message(project))

    async def ListProjects(
        self, request: api.ListProjectsRequest, context: Context
    ) -> api.ListProjectsResponse:
        page = read_page(request.page_size, request.page_token, (UUID,))
        before = page.cursor[0] if page.cursor else None
        if request.name:
            check_texts(request.name, None)
        async with self._pool.acquire() as connection:
            found = await store.list_projects(connection, before, request.name or None, page.limit)
        projects, next_page_token = page.cut(found, lambda project: (project.id,))
        return api.ListProjectsResponse(
            projects=map(project_message, projects), next_page_token=next_page_token
        )

    async def UpdateProject(
        self, request: api.UpdateProjectRequest, context: Context
    ) -> api.UpdateProjectResponse:
        project_id = parse_id(request.project_id, "project_id")
        name = request.name.strip() if request.HasField("name") else None
        description = request.description if request.HasField("description") else None
        check_texts(name, description)
        async with self._pool.acquire() as connection:
            project = await store.update_project(connection, project_id, name, description)
        return api.UpdateProjectResponse(project=project_message(project))

    async def DeleteProject(
        self, request: api.DeleteProjectRequest, context: Context
    ) -> api.DeleteProjectResponse:
        project_id = parse_id(request.project_id, "project_id")
        async with self._pool.acquire() as connection:
            await store.delete_project(connection, project_id, _DELETE_TIMEOUT)
        self._sweep.wake()
        return api.DeleteProjectResponse()

    async def GetProjectStats(
        self, request: api.GetProjectStatsRequest, context: Context
    ) -> api.GetProjectStatsResponse:
        project_id = parse_id(request.project_id, "project_id")
        async with self._pool.acquire() as connection:
            stats = await store.project_stats(connection, project_id)
        return api.GetProjectStatsResponse(stats=stats_message(stats))
