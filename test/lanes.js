// The lanes of `npm test`: what computes keeps both cores busy by itself; what waits (for servers, processes and real time)
// hardly uses them, so that many files run beside each other. The lanes run side by side.

/** Jest projects by lane, by the beginning of their names. */
export const lanes = [
  { name: 'computes', workers: 2, projects: ['unit', 'architecture', 'simulation', 'schedules', 'recipes'] },
  { name: 'waits', workers: 4, projects: ['process', 'cluster', 'conformance-'] },
]

/** The lanes with those of `projects` that belong to each; lanes without any are left out. Throws on an unknown project. */
export function lanesOf(projects) {
  const chosen = lanes
    .map((lane) => ({
      ...lane,
      projects: projects.filter((project) => lane.projects.some((beginning) => isOf(project, beginning))),
    }))
    .filter((lane) => lane.projects.length > 0)
  const placed = new Set(chosen.flatMap((lane) => lane.projects))
  const unknown = projects.filter((project) => !placed.has(project))
  if (unknown.length > 0)
    throw new Error(
      `no lane runs ${unknown.join(', ')}: there are the projects ${lanes.flatMap((lane) => lane.projects).join(', ')}`,
    )
  return chosen
}

const isOf = (project, beginning) => (beginning.endsWith('-') ? project.startsWith(beginning) : project === beginning)
