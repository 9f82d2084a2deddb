import { answerOf, api } from "@/api/client";
import type { Worker as WireWorker } from "@/api/generated/schema";
import { everyItem, pageOf } from "@/api/page";
import { optionalTime } from "@/api/wireTime";

/** Something to train on. */
export interface Device {
  /** "cpu", or the index of a GPU. */
  name: string;
  model: string;
  memoryBytes: number;
  /** Others use so much of the GPU that no job is taken for it. */
  busy: boolean;
  /** Of GPUs, when it was last looked at. */
  load: { memoryUsedBytes: number; utilizationPercent: number } | undefined;
}

/** A process that trains, one job at a time. */
export interface Worker {
  id: string;
  name: string;
  online: boolean;
  devices: Device[];
  versions: Readonly<Record<string, string>>;
  cpuPercent: number | undefined;
  memory: { usedBytes: number; totalBytes: number } | undefined;
  /** Empty when idle. */
  currentJobId: string;
  heartbeatTime: Date | undefined;
}

/** All workers that were heard of lately, by name. */
export async function listWorkers(): Promise<Worker[]> {
  return everyItem(async (token) => {
    const query = token === undefined ? {} : { page_token: token };
    const answer = await answerOf(api.GET("/api/v1/training/workers", { params: { query } }));
    return pageOf(answer.workers, answer.next_page_token, readWorker);
  });
}

function readWorker(wire: WireWorker): Worker {
  const { load } = wire;
  return {
    id: wire.id,
    name: wire.name,
    online: wire.online,
    devices: wire.devices.map((device) => {
      const gpu = load?.gpus.find(({ name }) => name === device.name);
      return {
        name: device.name,
        model: device.model,
        memoryBytes: device.memory_bytes,
        busy: device.busy,
        load: gpu && {
          memoryUsedBytes: gpu.memory_used_bytes,
          utilizationPercent: gpu.utilization_percent,
        },
      };
    }),
    versions: wire.versions,
    cpuPercent: load?.cpu_percent,
    memory: load && { usedBytes: load.memory_used_bytes, totalBytes: load.memory_total_bytes },
    currentJobId: wire.current_job_id,
    heartbeatTime: optionalTime(wire.heartbeat_time),
  };
}
