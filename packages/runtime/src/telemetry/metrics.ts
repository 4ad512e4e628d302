import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

/** A number that only grows. Names end in `_total`. */
export interface CounterMetric {
  add(amount?: number): void
  readonly value: number
}

/** A number that is read when metrics are requested. */
export type GaugeSource = () => number

/** How long something took, in seconds. */
export interface HistogramMetric {
  observe(seconds: number): void
}

/** What a program counts, in Prometheus' text format. Every name gets the prefix `catchment_`. */
export interface Metrics {
  counter(name: string, help: string): CounterMetric
  gauge(name: string, help: string, read: GaugeSource): void
  histogram(name: string, help: string, buckets: readonly number[]): HistogramMetric
  /** Every counter by its name, for status pages. */
  counters(): Record<string, number>
  readonly contentType: string
  text(): Promise<string>
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const values = new Map<string, number>()
  return {
    counter(name, help) {
      const counter = new Counter({ name: `catchment_${name}`, help, registers: [registry] })
      values.set(name, 0)
      return {
        add(amount = 1) {
          counter.inc(amount)
          values.set(name, (values.get(name) ?? 0) + amount)
        },
        get value() {
          return values.get(name) ?? 0
        },
      }
    },
    gauge(name, help, read) {
      const gauge = new Gauge({
        name: `catchment_${name}`,
        help,
        registers: [registry],
        collect: () => {
          gauge.set(read())
        },
      })
    },
    histogram(name, help, buckets) {
      const histogram = new Histogram({ name: `catchment_${name}`, help, buckets: [...buckets], registers: [registry] })
      return {
        observe: (seconds) => {
          histogram.observe(seconds)
        },
      }
    },
    counters: () => Object.fromEntries(values),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  }
}
