//! Lists of hashes, searched while a crate compiles.

/// Whether a table is among these.
pub const fn contains(tables: &[u64], table: u64) -> bool {
    let mut at = 0;
    while at < tables.len() {
        if tables[at] == table {
            return true;
        }
        at += 1;
    }
    false
}

/// The lists as one, in order: a compile-time search of hundreds of tables for each of them is slow unless it halves its way.
pub const fn in_order<const LENGTH: usize>(lists: &[&[u64]]) -> [u64; LENGTH] {
    let mut all = [0; LENGTH];
    let (mut list, mut filled) = (0, 0);
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            all[filled] = lists[list][at];
            (at, filled) = (at + 1, filled + 1);
        }
        list += 1;
    }
    // a heap, whose greatest goes to the end
    let mut root = LENGTH / 2;
    while root > 0 {
        root -= 1;
        sink(&mut all, root, LENGTH);
    }
    let mut end = LENGTH;
    while end > 1 {
        end -= 1;
        all.swap(0, end);
        sink(&mut all, 0, end);
    }
    all
}

const fn sink(heap: &mut [u64], mut root: usize, end: usize) {
    loop {
        let mut child = 2 * root + 1;
        if child >= end {
            return;
        }
        if child + 1 < end && heap[child] < heap[child + 1] {
            child += 1;
        }
        if heap[root] >= heap[child] {
            return;
        }
        heap.swap(root, child);
        root = child;
    }
}

/// How many numbers the lists have together.
pub const fn total(lists: &[&[u64]]) -> usize {
    let (mut at, mut sum) = (0, 0);
    while at < lists.len() {
        sum += lists[at].len();
        at += 1;
    }
    sum
}

/// How many numbers of an ordered list are less than this one.
const fn place(ordered: &[u64], number: u64) -> usize {
    let (mut from, mut to) = (0, ordered.len());
    while from < to {
        let middle = from.midpoint(to);
        if ordered[middle] < number { from = middle + 1 } else { to = middle }
    }
    from
}

/// Whether a number is in an ordered list.
pub const fn is_among(ordered: &[u64], number: u64) -> bool {
    let at = place(ordered, number);
    at < ordered.len() && ordered[at] == number
}

/// Whether what stands at a place of a list stands before it as well; given the same list in order.
pub const fn comes_again(list: &[u64], ordered: &[u64], at: usize) -> bool {
    let next = place(ordered, list[at]) + 1;
    next < ordered.len() && ordered[next] == list[at] && contains(list.split_at(at).0, list[at])
}
