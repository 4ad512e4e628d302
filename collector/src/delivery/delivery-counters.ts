import type { CounterMetric, Metrics } from '@catchment/runtime'

/** What all loops of delivery count together. */
export interface DeliveryCounters {
  readonly rawBytes: CounterMetric
  readonly corruptBytes: CounterMetric
  readonly quarantined: CounterMetric
  readonly failures: CounterMetric
}

export function deliveryCounters(metrics: Metrics): DeliveryCounters {
  return {
    rawBytes: metrics.counter('raw_bytes_delivered_total', 'raw log bytes written to sinks'),
    corruptBytes: metrics.counter(
      'delivery_corrupt_bytes_total',
      'bytes of segments found damaged on the way to a sink',
    ),
    quarantined: metrics.counter('frames_quarantined_total', 'frames that could not be delivered'),
    failures: metrics.counter('delivery_failures_total', 'times that delivery began again at its cursor'),
  }
}
