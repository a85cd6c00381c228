//! The simulation: rentals come and go, burn the wallet hour by hour, and top-ups fill it. What the wallet does not
//! cover, what cards refuse and what is billed by mail becomes due.

use chrono::{Datelike, TimeDelta, Timelike};
use entity::{Instant, RentalStatus, rental};

use super::{
    chance::Chance,
    fate::{Fate, Terms},
    people::{Customer, first_hour, round_amount},
};
use crate::demo::{
    calendar::{after, month_of},
    catalogue::H100,
    machine::Machine,
};

/// Spans that are shorter are not billed.
const SHORTEST_SPAN: TimeDelta = TimeDelta::minutes(15);

/// Hours of a week.
const WEEK: i64 = 168;

const TEMPLATES: [&str; 5] = ["pytorch-2.7", "jupyter", "comfyui", "triton-server", "blender"];
const REGIONS: [&str; 6] = ["us-west", "us-central", "us-east", "eu-north", "eu-south", "ap-northeast"];
const PROJECTS: [&str; 12] =
    ["exp", "train", "eval", "render", "finetune", "notebook", "batch", "sweep", "serve", "embed", "distil", "sim"];
const NETWORKS: [&str; 3] = ["192.0.2", "198.51.100", "203.0.113"];
const ERRORS: [&str; 3] = [
    "image_pull_failed: the template's image could not be pulled",
    "host_lost: the host did not answer for five minutes",
    "gpu_fault: a GPU reported uncorrectable memory errors",
];
const SERVICES: [(&str, i64); 6] = [
    ("Priority support, one month", 175),
    ("Onboarding session", 250),
    ("Data migration, per terabyte", 90),
    ("Private network between two hosts", 99),
    ("Dedicated storage volume, set up", 140),
    ("Security questionnaire", 320),
];

/// What becomes due.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A top-up that the card refused: minor units.
    Topup(i64),
    /// Spans of rentals that the wallet did not cover.
    Overage(Vec<Span>),
    /// A month of rentals, by mail.
    Monthly(Vec<Span>),
    /// A month of reserved capacity; whether it is the first.
    Reserved([Instant; 2], bool),
    /// A service, by its name and minor units.
    Service(&'static str, i64),
}

/// A span of a rental, by the rental's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) rental: usize,
    pub(super) time: [Instant; 2],
}

/// Something that becomes due, and what becomes of it.
#[derive(Clone, Debug)]
pub(super) struct Due {
    /// When its invoice is made.
    pub(super) at: Instant,
    /// Days to pay.
    pub(super) days: i64,
    pub(super) what: What,
    pub(super) fate: Fate,
}

/// What the simulation of a customer came to.
pub(super) struct Story {
    pub(super) rentals: Vec<rental::Model>,
    /// Oldest first.
    pub(super) dues: Vec<Due>,
}

/// Runs the simulation of a customer until `now`.
pub(super) fn run(customer: &Customer, chance: Chance, now: Instant) -> Story {
    let mut meter = Meter {
        customer,
        chance,
        now,
        wallet: 0,
        credits: Vec::new(),
        no_topup_before: customer.since,
        runs: Vec::new(),
        dues: Vec::new(),
        reserved_before: false,
    };
    let mut hour = first_hour(customer);
    let span = (now.utc() - hour.utc()).num_hours().max(1);
    for passed in 0..span {
        meter.hour(hour, 500 + 1_000 * passed / span);
        hour = after(hour, TimeDelta::hours(1));
    }
    let Meter { runs, mut dues, .. } = meter;
    dues.sort_by_key(|due| due.at);
    Story { rentals: runs.into_iter().map(|run| run.rental).collect(), dues }
}

/// A rental and what of it is to be billed.
struct Run {
    rental: rental::Model,
    until: Instant,
    /// Since when the wallet does not cover it.
    uncovered: Option<Instant>,
    unbilled: Vec<[Instant; 2]>,
}

impl Run {
    fn is_on(&self, [start, end]: [Instant; 2]) -> bool {
        self.rental.status != RentalStatus::Failed && self.rental.started_at < end && self.until > start
    }

    /// What an hour costs, of which it may run a part only.
    fn cost(&self, [start, end]: [Instant; 2]) -> i64 {
        let (start, end) = (start.max(self.rental.started_at), end.min(self.until));
        self.rental.price_per_hour.0 * (end.utc() - start.utc()).num_seconds() / 3_600
    }

    /// The wallet covers it again, or it is billed now.
    fn close(&mut self, at: Instant) {
        if let Some(since) = self.uncovered.take() {
            let at = at.min(self.until);
            if at.utc() - since.utc() >= SHORTEST_SPAN {
                self.unbilled.push([since, at]);
            }
        }
    }
}

struct Meter<'a> {
    customer: &'a Customer,
    chance: Chance,
    now: Instant,
    /// Minor units.
    wallet: i64,
    /// Minor units that come when an invoice for them is paid.
    credits: Vec<(Instant, i64)>,
    no_topup_before: Instant,
    runs: Vec<Run>,
    dues: Vec<Due>,
    reserved_before: bool,
}

impl Meter<'_> {
    /// What happens in the hour that begins at `start`, at so many thousandths of the usual activity.
    fn hour(&mut self, start: Instant, activity: i64) {
        let end = after(start, TimeDelta::hours(1));
        self.credits.retain(|(at, amount)| {
            let came = *at <= start;
            self.wallet += if came { *amount } else { 0 };
            !came
        });
        self.bill(start);
        self.arrive(start, activity);
        self.burn([start, end]);
        if self.customer.habits.auto_topup_below.is_some_and(|dollars| self.wallet < self.minor(dollars)) {
            self.top_up(start);
        }
    }

    fn minor(&self, dollars: i64) -> i64 {
        round_amount(&self.customer.person, dollars)
    }

    // ---- Rentals ----------------------------------------------------------------------------------------------

    fn arrive(&mut self, start: Instant, activity: i64) {
        let habits = &self.customer.habits;
        let hour = start.utc().hour();
        let evening = if habits.evenings { (17..23).contains(&hour) } else { true };
        let share = if habits.evenings { 4 } else { 1 };
        // Rentals in a thousand days, as millionths of an hour.
        let rate = habits.rentals * 1_000 / 24 * share * activity / 1_000;
        let left = (self.now.utc() - start.utc()).num_hours();
        let (shortest, longest) = habits.hours;
        if evening && self.chance.per_million(rate) {
            let hours = self.chance.between(shortest, longest);
            self.begin(start, hours);
        } else if left == self.chance.between(1, 72) && self.chance.per_mille(habits.at_work * 2) {
            self.begin(start, left + longest);
        }
        let services = if habits.by_mail { 400 } else { 240 };
        let wanted = self.chance.per_million(services).then(|| self.chance.pick(&SERVICES)).flatten();
        if let Some((name, dollars)) = wanted {
            let what = What::Service(name, self.minor(dollars));
            self.due(after(start, TimeDelta::minutes(25)), 30, what);
        }
    }

    /// Begins a rental that lasts so many hours. Its wallet is filled first, where that is done by hand.
    fn begin(&mut self, hour: Instant, hours: i64) {
        let chance = &mut self.chance;
        let number = self.runs.len() + 1;
        let started = after(hour, TimeDelta::seconds(chance.below(3_000)));
        let until = after(started, TimeDelta::seconds(hours * 3_600 + chance.below(3_600)));
        let failed = chance.per_mille(52);
        let until = if failed { after(started, TimeDelta::seconds(chance.between(40, 900))) } else { until };
        let status = match () {
            () if failed && until <= self.now => RentalStatus::Failed,
            () if until <= self.now => RentalStatus::Stopped,
            () if chance.per_mille(120) => RentalStatus::Stopping,
            () if (self.now.utc() - started.utc()).num_hours() < 6 && chance.per_mille(500) => {
                RentalStatus::Provisioning
            }
            () => RentalStatus::Running,
        };
        let ran = !matches!(status, RentalStatus::Failed | RentalStatus::Provisioning);
        let stopped = matches!(status, RentalStatus::Failed | RentalStatus::Stopped);
        let first = self.customer.person.row.first_name.as_deref().unwrap_or_default().to_lowercase();
        let host = format!("{}.{}", chance.any(&NETWORKS), chance.between(2, 250));
        let machine = Machine {
            key: &format!("{}-rental-{number}", self.customer.mark()),
            name: &format!("{first}/{}-{number}", chance.any(&PROJECTS)),
            family: chance.pick(self.customer.habits.families).unwrap_or(H100),
            gpus: chance.mostly(1, &[(150, 2), (90, 4), (60, 8)]),
            status,
            template: chance.any(&TEMPLATES),
            region: chance.any(&REGIONS),
            host: ran.then_some(host.as_str()),
            started,
            stopped: stopped.then_some(until),
            error: (status == RentalStatus::Failed).then(|| chance.any(&ERRORS)),
        };
        let rental = machine.rented_by(&self.customer.person, self.now);
        let needed = rental.price_per_hour.0 * 3;
        let by_hand = self.customer.habits.auto_topup_below.is_none() && !self.customer.habits.by_mail;
        self.runs.push(Run { rental, until: until.min(self.now), uncovered: None, unbilled: Vec::new() });
        if by_hand && self.wallet < needed {
            self.top_up(hour);
        }
    }

    /// The wallet pays an hour of everything that runs, or nothing of it.
    fn burn(&mut self, hour: [Instant; 2]) {
        let [start, _] = hour;
        let running = self.runs.iter().filter(|run| run.is_on(hour));
        let cost: i64 = running.map(|run| run.cost(hour)).sum();
        let covered = !self.customer.habits.by_mail && self.wallet >= cost;
        if covered {
            self.wallet -= cost;
        }
        for run in &mut self.runs {
            if !run.is_on(hour) || covered {
                run.close(start);
            } else {
                run.uncovered.get_or_insert(start.max(run.rental.started_at));
            }
        }
    }

    // ---- Money ------------------------------------------------------------------------------------------------

    /// Fills the wallet, or makes an invoice for what the card refused. One at a time.
    fn top_up(&mut self, hour: Instant) {
        if hour < self.no_topup_before {
            return;
        }
        let habits = &self.customer.habits;
        let dollars = self.chance.any(habits.topups);
        let amount = self.minor(dollars);
        if !self.chance.per_mille(habits.refused) {
            self.wallet += amount;
            return;
        }
        let minutes = self.chance.between(1, 55);
        let fate = self.due(after(hour, TimeDelta::minutes(minutes)), 7, What::Topup(amount));
        let paid_at = fate.paid_at();
        self.credits.extend(paid_at.map(|at| (at, amount)));
        let again = after(hour, TimeDelta::days(9));
        self.no_topup_before = paid_at.map_or(again, |at| at.min(again));
    }

    /// What is billed at the beginning of an hour: overage once a week, mail and reserved capacity once a month.
    fn bill(&mut self, hour: Instant) {
        let customer = self.customer;
        let weekly = hour.utc().timestamp() / 3_600 % WEEK == i64::from(customer.number) % WEEK;
        let monthly = hour.utc().day() == 1 && hour.utc().hour() == 0;
        if weekly && !customer.habits.by_mail {
            let spans = self.spans(hour);
            if !spans.is_empty() {
                self.due(after(hour, TimeDelta::minutes(10)), 30, What::Overage(spans));
            }
        }
        if monthly && customer.habits.by_mail {
            let spans = self.spans(hour);
            if !spans.is_empty() {
                self.due(after(hour, TimeDelta::hours(6)), 30, What::Monthly(spans));
            }
        }
        if monthly && customer.reserved.is_some() {
            let what = What::Reserved(month_of(hour), !self.reserved_before);
            self.reserved_before = true;
            self.due(after(hour, TimeDelta::seconds(5)), 7, what);
        }
    }

    /// Everything that is to be billed by now, and is from now on.
    fn spans(&mut self, at: Instant) -> Vec<Span> {
        let mut spans = Vec::new();
        for (rental, run) in self.runs.iter_mut().enumerate() {
            let goes_on = run.uncovered.is_some() && run.until > at;
            run.close(at);
            if goes_on {
                run.uncovered = Some(at);
            }
            spans.extend(run.unbilled.drain(..).map(|time| Span { rental, time }));
        }
        spans
    }

    fn due(&mut self, at: Instant, days: i64, what: What) -> Fate {
        let issued = after(at, TimeDelta::seconds(20));
        let fate = Fate::draw(&mut self.chance, &self.customer.habits, Terms { issued, days }, self.now);
        self.dues.push(Due { at, days, what, fate: fate.clone() });
        fate
    }
}
