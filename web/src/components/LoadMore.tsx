import { Button, Center } from "@mantine/core";
import { useIntersection } from "@mantine/hooks";
import { useEffect } from "react";

interface LoadMoreProps {
  hasMore: boolean;
  loading: boolean;
  load: () => void;
}

/** The end of a list that has more: loads when it comes into view, or is pressed. */
export function LoadMore({ hasMore, loading, load }: LoadMoreProps) {
  const { ref, entry } = useIntersection({ rootMargin: "400px" });
  const visible = entry?.isIntersecting ?? false;
  useEffect(() => {
    if (visible && hasMore && !loading) load();
  }, [visible, hasMore, loading, load]);
  if (!hasMore) return null;
  return (
    <Center ref={ref} py="md">
      <Button variant="subtle" loading={loading} onClick={load}>
        Load more
      </Button>
    </Center>
  );
}
