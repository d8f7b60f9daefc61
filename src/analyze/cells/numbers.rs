//! Numbers and times, grouped by the bounds they are compared with.

use std::collections::HashMap;

use crate::value::{MAX_SAFE_NUMBER, Numbers};

use super::super::limits::MAX_CELLS;
use super::texts::TooMany;

/// A question about a number.
#[derive(Debug, Clone, PartialEq)]
pub enum NumberQuestion {
    /// Is it one of these?
    OneOf(Numbers),
    /// Is it less than this?
    Less(f64),
    /// Is it less than or equal to this?
    LessOrEqual(f64),
}

impl NumberQuestion {
    /// The answer for a number.
    pub fn holds(&self, number: f64) -> bool {
        match self {
            NumberQuestion::OneOf(numbers) => numbers.contains(&number),
            NumberQuestion::Less(bound) => number < *bound,
            NumberQuestion::LessOrEqual(bound) => number <= *bound,
        }
    }

    fn bounds(&self) -> &[f64] {
        match self {
            NumberQuestion::OneOf(numbers) => numbers,
            NumberQuestion::Less(bound) | NumberQuestion::LessOrEqual(bound) => {
                std::slice::from_ref(bound)
            }
        }
    }
}

/// An interval of doubles, including both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The smallest number.
    pub low: f64,
    /// The largest number.
    pub high: f64,
}

/// The largest number that a token can contain; its negation is the smallest.
pub const LARGEST: f64 = MAX_SAFE_NUMBER;

impl Interval {
    /// All numbers that a token can contain.
    pub const ALL: Interval = Interval {
        low: -LARGEST,
        high: LARGEST,
    };

    /// The intersection.
    pub fn and(self, other: Interval) -> Option<Interval> {
        let both = Interval {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
        };
        (both.low <= both.high).then_some(both)
    }

    /// Some numbers of the interval, starting with the most readable.
    pub fn numbers(self, most: usize) -> Vec<f64> {
        let whole = |number: f64| {
            let up = number.ceil();
            if up <= self.high { up } else { number }
        };
        let middle = if self == Interval::ALL {
            0.0
        } else if self.low == -LARGEST {
            self.high.floor().max(self.low)
        } else if self.high == LARGEST {
            whole(self.low)
        } else {
            whole(self.low + (self.high - self.low) / 2.0)
        };
        let mut found = Vec::new();
        let mut add = |number: f64| {
            if number >= self.low && number <= self.high && !found.contains(&number) {
                found.push(number);
            }
        };
        add(middle);
        add(self.low);
        add(self.high);
        let mut below = middle;
        let mut above = middle;
        for _ in 0..most {
            below = if (below - 1.0) < below {
                below - 1.0
            } else {
                below.next_down()
            };
            above = above.next_up();
            add(below);
            add(above);
        }
        let mut next = self.low;
        for _ in 0..most {
            next = next.next_up();
            add(next);
        }
        found.truncate(most);
        found
    }
}

/// Numbers with the same answers to all questions.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberCell {
    /// The answers, in the order of the questions.
    pub answers: Vec<bool>,
    /// The intervals of the cell.
    pub intervals: Vec<Interval>,
}

/// The cells of all numbers that a token can contain.
pub fn cells(questions: &[NumberQuestion]) -> Result<Vec<NumberCell>, TooMany> {
    let mut bounds: Vec<f64> = questions
        .iter()
        .flat_map(NumberQuestion::bounds)
        .copied()
        .filter(|bound| bound.abs() <= LARGEST)
        // Zero has two representations, but is one number.
        .map(|bound| bound + 0.0)
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let mut intervals = Vec::with_capacity(bounds.len() * 2 + 1);
    let mut low = -LARGEST;
    for bound in bounds {
        let below = bound.next_down();
        if low <= below {
            intervals.push(Interval { low, high: below });
        }
        intervals.push(Interval {
            low: bound,
            high: bound,
        });
        low = bound.next_up();
    }
    if low <= LARGEST {
        intervals.push(Interval { low, high: LARGEST });
    }
    let mut cells: Vec<NumberCell> = Vec::new();
    let mut by_answers: HashMap<Vec<bool>, usize> = HashMap::new();
    for interval in intervals {
        let answers: Vec<bool> = questions
            .iter()
            .map(|question| question.holds(interval.low))
            .collect();
        let at = *by_answers.entry(answers.clone()).or_insert_with(|| {
            cells.push(NumberCell {
                answers,
                intervals: Vec::new(),
            });
            cells.len() - 1
        });
        if let Some(cell) = cells.get_mut(at) {
            cell.intervals.push(interval);
        }
    }
    if cells.len() > MAX_CELLS {
        return Err(TooMany);
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_lies_between_neighbouring_doubles() {
        let next = 1.0_f64.next_up();
        let cells = cells(&[
            NumberQuestion::LessOrEqual(1.0),
            NumberQuestion::Less(next),
            NumberQuestion::OneOf(Numbers::new([5.0])),
        ])
        .expect("few");
        // Up to 1; from the next double on, except 5; exactly 5.
        assert_eq!(cells.len(), 3);
        for cell in &cells {
            assert_eq!(cell.answers[0], cell.answers[1]);
        }
    }

    #[test]
    fn each_number_is_in_the_cell_with_the_same_answers() {
        let questions = [
            NumberQuestion::Less(-3.5),
            NumberQuestion::LessOrEqual(0.0),
            NumberQuestion::OneOf(Numbers::new([-3.5, 0.0, 7.0])),
            NumberQuestion::Less(7.0),
        ];
        let cells = cells(&questions).expect("few");
        for number in [-LARGEST, -3.5, -3.0, -0.0, 0.0, 0.5, 7.0, 8.0, LARGEST] {
            let answers: Vec<bool> = questions.iter().map(|one| one.holds(number)).collect();
            let cell = cells
                .iter()
                .find(|cell| cell.answers == answers)
                .expect("a cell");
            assert!(
                cell.intervals
                    .iter()
                    .any(|interval| interval.low <= number && number <= interval.high)
            );
        }
        for cell in &cells {
            for interval in &cell.intervals {
                for number in interval.numbers(4) {
                    let answers: Vec<bool> =
                        questions.iter().map(|one| one.holds(number)).collect();
                    assert_eq!(answers, cell.answers, "{number}");
                }
            }
        }
    }
}
