import { queryOptions } from "@tanstack/react-query";
import { getSession } from "@/session/sessionService";

export const sessionQuery = queryOptions({ queryKey: ["session"], queryFn: getSession, staleTime: Infinity });
