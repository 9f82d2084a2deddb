/** A page of a list, in UI types. */
export interface Page<Item> {
  items: Item[];
  /** Asks for the next page; undefined on the last. */
  nextPageToken: string | undefined;
}

export function pageOf<Wire, Item>(
  wire: Wire[],
  nextPageToken: string,
  read: (wire: Wire) => Item,
): Page<Item> {
  return { items: wire.map(read), nextPageToken: nextPageToken || undefined };
}

/** All items of a list, page after page. */
export async function everyItem<Item>(
  fetchPage: (token: string | undefined) => Promise<Page<Item>>,
): Promise<Item[]> {
  const items: Item[] = [];
  let token: string | undefined;
  do {
    const page = await fetchPage(token);
    items.push(...page.items);
    token = page.nextPageToken;
  } while (token !== undefined);
  return items;
}
