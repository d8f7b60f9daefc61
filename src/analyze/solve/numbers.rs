//! Numbers and times that depend on each other.
//!
//! A time is compared with dates and with the time of the request. Once the time of the request is
//! fixed, the age of a time determines its position, and only intervals remain.

use std::collections::HashMap;

use super::super::cells::numbers::{Interval, NumberCell};
use super::super::domains::{Domain, Shape};
use super::super::limits::MAX_SEARCH_STEPS;
use super::super::vocabulary::{Ordered, Relation, ValueId};
use super::{Conflict, Settled, Solver, Way};

/// The times that `why --at` accepts: the years 0 to 9999 (RFC 3339).
const TIMES: Interval = Interval {
    low: 0.0,
    high: 253_402_300_799.0,
};

/// The numbers that were found.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The time of the request.
    pub now: f64,
    /// The shape of each value.
    pub shapes: HashMap<ValueId, Shape>,
    /// The numbers.
    pub values: HashMap<ValueId, f64>,
    /// The elements that lists must also contain.
    pub held: HashMap<ValueId, Vec<f64>>,
    /// The elements that lists must not contain.
    pub not_held: HashMap<ValueId, Vec<f64>>,
}

/// A value to find.
#[derive(Debug)]
struct Wanted<'d> {
    id: ValueId,
    /// Its possible cells, with the shape that each implies.
    cells: Vec<(Shape, &'d NumberCell)>,
    /// The possible cells of its age.
    ages: Vec<&'d NumberCell>,
}

impl Wanted<'_> {
    /// Its possible intervals, for a given time of the request.
    fn intervals(&self, now: f64) -> Vec<(Shape, Interval)> {
        let absolute = self
            .cells
            .iter()
            .flat_map(|(shape, cell)| cell.intervals.iter().map(|interval| (*shape, *interval)));
        if self.ages.is_empty() {
            return absolute.collect();
        }
        let ages: Vec<Interval> = self
            .ages
            .iter()
            .flat_map(|cell| &cell.intervals)
            .filter_map(|age| {
                Interval {
                    low: now - age.high,
                    high: now - age.low,
                }
                .and(Interval::ALL)
            })
            .collect();
        absolute
            .flat_map(|(shape, interval)| {
                ages.iter()
                    .filter_map(move |age| Some((shape, interval.and(*age)?)))
            })
            .collect()
    }

    /// The shape of the value if it is this number; `None` if it can't be.
    fn allows(&self, number: f64, now: f64) -> Option<Shape> {
        let within = |cell: &NumberCell, number: f64| {
            cell.intervals
                .iter()
                .any(|interval| interval.low <= number && number <= interval.high)
        };
        let aged = self.ages.is_empty() || self.ages.iter().any(|cell| within(cell, now - number));
        self.cells
            .iter()
            .find(|(_, cell)| aged && within(cell, number))
            .map(|(shape, _)| *shape)
    }
}

fn wanted<'d>(way: &Way, id: ValueId, domain: &'d Domain) -> Wanted<'d> {
    let cells = way
        .shapes(domain)
        .into_iter()
        .filter_map(|shape| match shape {
            Shape::Number(cell) => Some((shape, domain.numbers.get(cell)?)),
            _ => None,
        })
        .collect();
    let ages = if domain.ages.is_empty() {
        Vec::new()
    } else {
        way.numbers(&domain.age_bits, domain.ages.len())
            .into_iter()
            .filter_map(|number| domain.ages.get(number))
            .collect()
    };
    Wanted { id, cells, ages }
}

/// Finds the numbers that can't be chosen from an interval independently.
pub(super) fn solve(
    solver: &Solver<'_>,
    way: &Way,
    relations: &[Settled<'_>],
) -> Result<Numbers, Conflict> {
    let related: Vec<Settled<'_>> = relations
        .iter()
        .filter(|(_, relation, _)| {
            matches!(
                relation,
                Relation::SameNumber { .. } | Relation::HoldsNumber { .. }
            )
        })
        .copied()
        .collect();
    let mut ids: Vec<ValueId> = Vec::new();
    for (_, relation, _) in &related {
        match relation {
            Relation::SameNumber { a, b } => ids.extend([*a, *b]),
            Relation::HoldsNumber { number, .. } => ids.push(*number),
            _ => {}
        }
    }
    for (id, domain) in solver.domains.values.iter().enumerate() {
        let is_number = way
            .shapes(domain)
            .first()
            .is_some_and(|shape| matches!(shape, Shape::Number(_)));
        if !domain.ages.is_empty() && is_number {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let mut numbers = Numbers {
        now: solver.now,
        ..Numbers::default()
    };
    if ids.is_empty() {
        return Ok(numbers);
    }
    let all: Vec<Wanted> = ids
        .iter()
        .filter_map(|id| Some(wanted(way, *id, solver.domains.values.get(*id)?)))
        .collect();
    let classes = classes(&ids, &related);
    let mut steps = 0;
    let times = times(solver.now, &all);
    let cut_short = times.len() > MAX_SEARCH_STEPS;
    for now in times.into_iter().take(MAX_SEARCH_STEPS) {
        let search = Search {
            solver,
            way,
            all: &all,
            related: &related,
            classes: &classes,
            now,
        };
        let mut found: Vec<f64> = Vec::new();
        if search.choose(&mut found, &mut steps) {
            numbers.now = now;
            for (class, number) in classes.iter().zip(&found) {
                for id in class {
                    numbers.values.insert(*id, *number);
                    if let Some(wanted) = all.iter().find(|wanted| wanted.id == *id)
                        && let Some(shape) = wanted.allows(*number, now)
                    {
                        numbers.shapes.insert(*id, shape);
                    }
                }
            }
            for (list, number, holds) in search.lists(&found) {
                let into = if holds {
                    &mut numbers.held
                } else {
                    &mut numbers.not_held
                };
                into.entry(list).or_default().push(number);
            }
            return Ok(numbers);
        }
    }
    // A search that was cut short has found no contradiction. Claiming one would remove real
    // requests from the diagram, and the comparison would miss a difference.
    if cut_short || steps > MAX_SEARCH_STEPS {
        return Err(Conflict::Unknown(
            "too many numbers are compared with each other",
        ));
    }
    let mut values = ids;
    for (_, relation, _) in &related {
        if let Relation::HoldsNumber { list, .. } = relation {
            values.push(*list);
        }
    }
    Err(Conflict::Of {
        values,
        relations: related.iter().map(|(number, ..)| *number).collect(),
    })
}

/// The relevant times of the request: those at which a time that is compared with dates and with
/// the time of the request moves from one cell to another. More than [`MAX_SEARCH_STEPS`] if there
/// are too many to try.
fn times(now: f64, all: &[Wanted<'_>]) -> Vec<f64> {
    let mut times = vec![now];
    for wanted in all.iter().filter(|wanted| !wanted.ages.is_empty()) {
        let absolute = wanted.cells.iter().flat_map(|(_, cell)| &cell.intervals);
        for interval in absolute {
            if times.len() > MAX_SEARCH_STEPS {
                return times;
            }
            for age in wanted.ages.iter().flat_map(|cell| &cell.intervals) {
                let whole = Interval {
                    low: interval.low + age.low,
                    high: interval.high + age.high,
                };
                times.extend(
                    whole
                        .and(TIMES)
                        .into_iter()
                        .flat_map(|interval| interval.numbers(3)),
                );
            }
        }
    }
    times.dedup();
    times
}

/// Groups values that must be equal numbers.
fn classes(ids: &[ValueId], related: &[Settled<'_>]) -> Vec<Vec<ValueId>> {
    let mut classes: Vec<Vec<ValueId>> = ids.iter().map(|id| vec![*id]).collect();
    for (_, relation, holds) in related {
        if let (Relation::SameNumber { a, b }, true) = (relation, holds) {
            let mut joined: Vec<ValueId> = Vec::new();
            classes.retain_mut(|class| {
                let apart = !class.contains(a) && !class.contains(b);
                if !apart {
                    joined.append(class);
                }
                apart
            });
            classes.push(joined);
        }
    }
    classes
}

struct Search<'s> {
    solver: &'s Solver<'s>,
    way: &'s Way,
    all: &'s [Wanted<'s>],
    related: &'s [Settled<'s>],
    classes: &'s [Vec<ValueId>],
    now: f64,
}

impl Search<'_> {
    fn choose(&self, found: &mut Vec<f64>, steps: &mut usize) -> bool {
        let Some(class) = self.classes.get(found.len()) else {
            return true;
        };
        for candidate in self.candidates(class) {
            *steps += 1;
            if *steps > MAX_SEARCH_STEPS {
                return false;
            }
            found.push(candidate);
            if self.fits(found) && self.choose(found, steps) {
                return true;
            }
            found.pop();
        }
        false
    }

    /// Candidates for a class: one more than there are classes, so that the choices for the others
    /// can't use up all of them.
    fn candidates(&self, class: &[ValueId]) -> Vec<f64> {
        let members: Vec<&Wanted> = self
            .all
            .iter()
            .filter(|wanted| class.contains(&wanted.id))
            .collect();
        // Each other class can rule out at most one number. So with one more candidate than there
        // are classes, one remains if there is any.
        let most = self.classes.len() + 1;
        let mut intervals = vec![Interval::ALL];
        for member in &members {
            intervals = member
                .intervals(self.now)
                .into_iter()
                .flat_map(|(_, own)| {
                    intervals
                        .iter()
                        .filter_map(move |interval| interval.and(own))
                        .collect::<Vec<_>>()
                })
                .collect();
        }
        // The elements of lists may distinguish numbers.
        let listed = self
            .related
            .iter()
            .flat_map(|(_, relation, _)| match relation {
                Relation::HoldsNumber { list, number } if class.contains(number) => self
                    .solver
                    .domains
                    .values
                    .get(*list)
                    .into_iter()
                    .flat_map(|domain| &domain.number_elements)
                    .flat_map(|holding| holding.class.values.iter().map(|value| value.0))
                    .collect(),
                _ => Vec::new(),
            });
        let mut numbers: Vec<f64> = intervals
            .iter()
            .flat_map(|interval| interval.numbers(most.max(4)))
            .chain(listed)
            .filter(|number| {
                members
                    .iter()
                    .all(|member| member.allows(*number, self.now).is_some())
            })
            .collect();
        numbers.dedup();
        numbers
    }

    fn number(&self, found: &[f64], id: ValueId) -> Option<f64> {
        let class = self.classes.iter().position(|class| class.contains(&id))?;
        found.get(class).copied()
    }

    /// The elements that lists must and must not contain, for the numbers found so far.
    fn lists(&self, found: &[f64]) -> Vec<(ValueId, f64, bool)> {
        self.related
            .iter()
            .filter_map(|(_, relation, holds)| match relation {
                Relation::HoldsNumber { list, number } => {
                    Some((*list, self.number(found, *number)?, *holds))
                }
                _ => None,
            })
            .collect()
    }

    #[expect(clippy::float_cmp, reason = "claims are compared by their exact value")]
    fn fits(&self, found: &[f64]) -> bool {
        let apart = self
            .related
            .iter()
            .all(|(_, relation, holds)| match relation {
                Relation::SameNumber { a, b } => {
                    match (self.number(found, *a), self.number(found, *b)) {
                        (Some(a), Some(b)) => (a == b) == *holds,
                        _ => true,
                    }
                }
                _ => true,
            });
        let lists = self.lists(found);
        apart
            && lists.iter().all(|(list, number, holds)| {
                self.list_fits(*list, *number, *holds)
                    && lists.iter().all(|(other, same, other_holds)| {
                        other != list || same != number || other_holds == holds
                    })
            })
    }

    /// Whether the bits of a list allow it to contain, or not to contain, a number.
    fn list_fits(&self, list: ValueId, number: f64, holds: bool) -> bool {
        let Some(domain) = self.solver.domains.values.get(list) else {
            return false;
        };
        let shapes = self.way.shapes(domain);
        if !shapes.contains(&Shape::Numbers) {
            return !holds && shapes.contains(&Shape::Empty);
        }
        let holding = domain
            .number_elements
            .iter()
            .find(|holding| holding.class.values.contains(&Ordered(number)));
        let Some(holding) = holding else {
            return true;
        };
        let any = self.way.get(holding.any);
        let all = match holding.all {
            Some(all) => self.way.get(all),
            None if holding.class.values.len() == 1 => any,
            None => None,
        };
        if holds {
            any != Some(false)
        } else {
            all != Some(true)
        }
    }
}
