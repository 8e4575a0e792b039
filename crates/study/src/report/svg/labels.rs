//! Keeping labels apart.

/// Moves places along a line so that they are at least `gap` apart and within `range` (as far as there is room),
/// each as near to where it wants to be as its neighbors allow. Returns the new places in the order given.
pub fn spread(wanted: &[f64], gap: f64, range: (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    // Neighbors that collide become a cluster, spaced evenly around the mean of what its members want.
    struct Cluster {
        sum: f64,
        count: usize,
    }
    let room = (range.1 - range.0).max(0.0);
    let gap = if wanted.len() > 1 { gap.min(room / (wanted.len() - 1) as f64) } else { gap };
    let start = |cluster: &Cluster| {
        let length = gap * (cluster.count - 1) as f64;
        (cluster.sum / cluster.count as f64 - length / 2.0).clamp(range.0, (range.1 - length).max(range.0))
    };
    let mut clusters: Vec<Cluster> = Vec::new();
    for &index in &order {
        let mut last = Cluster { sum: wanted[index], count: 1 };
        while let Some(before) = clusters.last() {
            if start(before) + gap * before.count as f64 <= start(&last) + 1e-9 {
                break;
            }
            last = Cluster { sum: before.sum + last.sum, count: before.count + last.count };
            clusters.pop();
        }
        clusters.push(last);
    }
    let mut places = vec![0.0; wanted.len()];
    let mut members = order.iter();
    for cluster in &clusters {
        for (k, &index) in members.by_ref().take(cluster.count).enumerate() {
            places[index] = start(cluster) + gap * k as f64;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colliding_labels_move_apart_evenly() {
        assert_eq!(spread(&[50.0, 10.0], 15.0, (0.0, 100.0)), [50.0, 10.0]);
        assert_eq!(spread(&[50.0, 52.0], 10.0, (0.0, 100.0)), [46.0, 56.0]);
        assert_eq!(spread(&[0.0, 0.0, 0.0], 10.0, (0.0, 100.0)), [0.0, 10.0, 20.0]);
        assert_eq!(spread(&[100.0, 99.0], 10.0, (0.0, 100.0)), [100.0, 90.0]);
    }

    proptest! {
        #[test]
        fn labels_never_overlap_nor_leave(wanted in prop::collection::vec(-20f64..120.0, 1..8)) {
            let places = spread(&wanted, 12.0, (0.0, 100.0));
            let mut sorted = places.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= 12.0 - 1e-6));
            prop_assert!(places.iter().all(|place| (-1e-6..=100.0 + 1e-6).contains(place)));
        }
    }
}
