//! The rentals of the demo: GPUs by the hour, hosts in the address ranges kept for documentation.

use entity::{RentalStatus, rental};

use super::people::People;
use crate::demo::{
    calendar::{now, on},
    catalogue::{A100, B200, H100, H200, Item, L40S, MI300X, RTX_3090, RTX_4090},
    machine::Machine,
    person::Person,
};

/// What is written down of a rental.
#[derive(Clone, Copy, Debug)]
struct Facts {
    name: &'static str,
    family: Item,
    gpus: i32,
    status: RentalStatus,
    template: &'static str,
    region: &'static str,
    /// Absent while there is no machine.
    host: Option<&'static str>,
    started: &'static str,
    stopped: Option<&'static str>,
    error: Option<&'static str>,
}

/// Every rental of the demo, by the name its owner gave it.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    /// Eight H100 for a week: what `overage-week` bills first of all.
    pub(super) diffusion: rental::Model,
    /// Two A100 beside it, on the same invoice.
    pub(super) evaluation: rental::Model,
    pub(super) notebook: rental::Model,
    pub(super) comfy: rental::Model,
    pub(super) lora: rental::Model,
    pub(super) batch_a: rental::Model,
    pub(super) batch_b: rental::Model,
    pub(super) relax: rental::Model,
    pub(super) routing: rental::Model,
    pub(super) forecast: rental::Model,
    pub(super) renders: rental::Model,
    pub(super) frames: rental::Model,
    pub(super) arabic: rental::Model,
    pub(super) simulation: rental::Model,
    pub(super) folding: rental::Model,
    pub(super) screening: rental::Model,
    pub(super) stems: rental::Model,
    pub(super) glaze: rental::Model,
}

const DIFFUSION: Facts = Facts {
    name: "mara/diffusion-42",
    family: H100,
    gpus: 8,
    status: RentalStatus::Stopped,
    template: "pytorch-2.7",
    region: "us-west",
    host: Some("192.0.2.42"),
    started: "2026-06-01T07:42:19Z",
    stopped: Some("2026-06-07T21:13:40Z"),
    error: None,
};
const EVALUATION: Facts = Facts {
    name: "mara/eval-7",
    family: A100,
    gpus: 2,
    host: Some("192.0.2.57"),
    started: "2026-06-03T09:30:00Z",
    stopped: Some("2026-06-06T18:05:27Z"),
    ..DIFFUSION
};
const NOTEBOOK: Facts = Facts {
    name: "mara/notebook",
    family: RTX_4090,
    gpus: 1,
    status: RentalStatus::Running,
    template: "jupyter",
    host: Some("192.0.2.61"),
    started: "2026-06-14T18:40:05Z",
    stopped: None,
    ..DIFFUSION
};
const COMFY: Facts = Facts {
    name: "tobias/comfy-nights",
    family: RTX_4090,
    gpus: 1,
    template: "comfyui",
    region: "us-central",
    host: Some("198.51.100.14"),
    started: "2026-04-02T19:05:00Z",
    stopped: Some("2026-06-10T23:41:12Z"),
    ..DIFFUSION
};
const LORA: Facts = Facts {
    name: "tobias/lora-3",
    family: RTX_3090,
    gpus: 1,
    status: RentalStatus::Failed,
    region: "us-central",
    host: None,
    started: "2026-05-19T20:11:00Z",
    stopped: Some("2026-05-19T20:11:00Z"),
    error: Some("image_pull_failed: the template's image could not be pulled"),
    ..DIFFUSION
};
const BATCH_A: Facts = Facts {
    name: "halden/dft-batch-a",
    family: H200,
    gpus: 8,
    template: "slurm-node",
    region: "eu-north",
    host: Some("203.0.113.10"),
    started: "2026-04-20T06:00:00Z",
    stopped: Some("2026-05-31T06:00:00Z"),
    ..DIFFUSION
};
const BATCH_B: Facts = Facts { name: "halden/dft-batch-b", family: H100, host: Some("203.0.113.11"), ..BATCH_A };
const RELAX: Facts = Facts {
    name: "halden/relax-c",
    family: MI300X,
    gpus: 4,
    status: RentalStatus::Running,
    host: Some("203.0.113.12"),
    stopped: None,
    ..BATCH_A
};
const ROUTING: Facts = Facts {
    name: "brightwater/routing-prod",
    family: L40S,
    gpus: 4,
    status: RentalStatus::Running,
    template: "triton-server",
    region: "us-east",
    host: Some("198.51.100.80"),
    started: "2025-11-03T15:00:00Z",
    stopped: None,
    ..DIFFUSION
};
const FORECAST: Facts = Facts {
    name: "brightwater-canada/forecast",
    gpus: 2,
    status: RentalStatus::Stopped,
    region: "ca-east",
    host: Some("198.51.100.81"),
    started: "2026-05-04T12:00:00Z",
    stopped: Some("2026-06-05T12:00:00Z"),
    ..ROUTING
};
const RENDERS: Facts = Facts {
    name: "piet/renders",
    family: RTX_3090,
    gpus: 4,
    template: "blender",
    host: Some("192.0.2.90"),
    started: "2025-11-28T02:15:00Z",
    stopped: Some("2026-03-30T02:15:00Z"),
    ..DIFFUSION
};
const FRAMES: Facts = Facts {
    name: "kumo/frames-11",
    family: L40S,
    gpus: 8,
    template: "blender",
    region: "ap-northeast",
    host: Some("203.0.113.64"),
    started: "2026-05-11T00:00:00Z",
    stopped: Some("2026-06-09T09:26:31Z"),
    ..DIFFUSION
};
const ARABIC: Facts = Facts {
    name: "noor/language-model",
    family: A100,
    gpus: 4,
    region: "me-central",
    host: Some("203.0.113.99"),
    started: "2026-05-17T05:00:00Z",
    stopped: Some("2026-06-08T11:12:13Z"),
    ..DIFFUSION
};
const SIMULATION: Facts = Facts {
    name: "falkenried/sim-2",
    family: H100,
    gpus: 2,
    status: RentalStatus::Stopping,
    region: "eu-north",
    host: Some("203.0.113.120"),
    started: "2026-05-25T07:00:00Z",
    stopped: None,
    ..DIFFUSION
};
const FOLDING: Facts = Facts {
    name: "tidepool/fold-9",
    family: B200,
    gpus: 8,
    status: RentalStatus::Provisioning,
    host: None,
    started: "2026-06-14T23:58:30Z",
    stopped: None,
    ..DIFFUSION
};
const SCREENING: Facts = Facts {
    name: "tidepool/screening-4",
    family: H100,
    gpus: 4,
    host: Some("192.0.2.130"),
    started: "2026-03-02T08:00:00Z",
    stopped: Some("2026-06-11T16:45:00Z"),
    ..DIFFUSION
};
const STEMS: Facts = Facts {
    name: "norrsken/stems",
    family: RTX_4090,
    gpus: 2,
    region: "eu-north",
    host: Some("203.0.113.140"),
    started: "2026-04-13T09:00:00Z",
    stopped: Some("2026-06-12T17:30:00Z"),
    ..DIFFUSION
};
const GLAZE: Facts = Facts {
    name: "castor/glaze-models",
    family: L40S,
    gpus: 1,
    region: "eu-south",
    host: Some("203.0.113.200"),
    started: "2026-05-02T07:00:00Z",
    stopped: Some("2026-06-06T19:00:00Z"),
    ..DIFFUSION
};

/// Every rental, with what it costs in its customer's currency.
pub(super) fn fleet(people: &People) -> Fleet {
    Fleet {
        diffusion: rental(&people.mara, &DIFFUSION),
        evaluation: rental(&people.mara, &EVALUATION),
        notebook: rental(&people.mara, &NOTEBOOK),
        comfy: rental(&people.tobias, &COMFY),
        lora: rental(&people.tobias, &LORA),
        batch_a: rental(&people.halden, &BATCH_A),
        batch_b: rental(&people.halden, &BATCH_B),
        relax: rental(&people.halden, &RELAX),
        routing: rental(&people.brightwater, &ROUTING),
        forecast: rental(&people.brightwater_canada, &FORECAST),
        renders: rental(&people.piet, &RENDERS),
        frames: rental(&people.kumo, &FRAMES),
        arabic: rental(&people.noor, &ARABIC),
        simulation: rental(&people.falkenried, &SIMULATION),
        folding: rental(&people.tidepool, &FOLDING),
        screening: rental(&people.tidepool, &SCREENING),
        stems: rental(&people.norrsken, &STEMS),
        glaze: rental(&people.castor, &GLAZE),
    }
}

impl Fleet {
    /// Every rental, by owner.
    pub(super) fn all(self) -> Vec<rental::Model> {
        vec![
            self.diffusion,
            self.evaluation,
            self.notebook,
            self.comfy,
            self.lora,
            self.batch_a,
            self.batch_b,
            self.relax,
            self.routing,
            self.forecast,
            self.renders,
            self.frames,
            self.arabic,
            self.simulation,
            self.folding,
            self.screening,
            self.stems,
            self.glaze,
        ]
    }
}

fn rental(owner: &Person, facts: &Facts) -> rental::Model {
    let machine = Machine {
        key: facts.name,
        name: facts.name,
        family: facts.family,
        gpus: facts.gpus,
        status: facts.status,
        template: facts.template,
        region: facts.region,
        host: facts.host,
        started: on(facts.started),
        stopped: facts.stopped.map(on),
        error: facts.error,
    };
    machine.rented_by(owner, now())
}
