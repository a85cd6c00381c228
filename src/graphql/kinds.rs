//! Closed vocabularies of the API: the words of the rows, each described for clients.

use async_graphql::Enum;

use crate::domain::{credential_state, viewer};
use crate::{links, store};

/// Which way a list runs.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum Direction {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    Desc,
}

impl From<Direction> for store::Direction {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Asc => Self::Ascending,
            Direction::Desc => Self::Descending,
        }
    }
}

/// Where an invoice or a customer comes from.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::SourceSystem")]
pub(super) enum SourceSystem {
    /// Made in this gateway.
    Native,
    /// Mirrored from Stripe.
    Stripe,
    /// Imported from a GPU Outlet style marketplace.
    GpuOutlet,
    /// Imported from Paypercut.
    Paypercut,
    /// Imported from Meteroid.
    Meteroid,
    /// Imported from UserHub.
    Userhub,
    /// Imported from HostUp, or another HostBill style system.
    Hostup,
}

/// The state of an invoice. PAID and VOID are final: refunds change `paymentStatus`, never this.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::InvoiceStatus")]
pub(super) enum InvoiceStatus {
    /// Still being made; nobody owes anything yet.
    Draft,
    /// Issued and to be paid.
    Open,
    /// Settled, by payments or outside the system.
    Paid,
    /// Cancelled; nothing is owed.
    Void,
    /// Given up on, yet still payable.
    Uncollectible,
}

/// Where an invoice stands with its payments; computed from the invoice and its latest attempt.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "store::invoice::PaymentState")]
pub(super) enum InvoicePaymentStatus {
    /// Nothing was paid, or the invoice is void.
    Unpaid,
    /// The last attempt failed and the customer has no usable means of payment.
    RequiresPaymentMethod,
    /// The customer must confirm the last attempt, for example with their bank.
    RequiresAction,
    /// The last attempt is under way, as bank debits are for days.
    Processing,
    /// Something was paid, less than what is due.
    PartiallyPaid,
    /// The last attempt failed; another may be made.
    Failed,
    /// The invoice is paid.
    Paid,
    /// Some of what was paid went back.
    PartiallyRefunded,
    /// All of what was paid went back.
    Refunded,
}

/// Why an invoice was made.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::BillingReason")]
pub(super) enum BillingReason {
    /// The source does not say.
    Unknown,
    /// A wallet could not be topped up by card; paying the invoice credits the wallet.
    TopupFailed,
    /// Usage went beyond the wallet; paying clears the debt.
    Overage,
    /// Made by a person.
    Manual,
    /// A subscription began.
    SubscriptionCreate,
    /// A subscription was renewed.
    SubscriptionCycle,
    /// A subscription changed in mid-cycle.
    SubscriptionUpdate,
    /// Usage of a subscription crossed a threshold.
    SubscriptionThreshold,
    /// A quote was accepted.
    QuoteAccept,
    /// A preview of the next invoice.
    Upcoming,
}

/// What sort of invoice it is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::InvoiceType")]
pub(super) enum InvoiceType {
    /// The source does not say.
    Unknown,
    /// One of a series.
    Recurring,
    /// A single one.
    OneOff,
    /// Corrects or adds to other bills.
    Adjustment,
    /// Made because usage crossed a threshold.
    UsageThreshold,
    /// Fills a wallet.
    TopUp,
}

/// What an invoice or a line was made from.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::OriginKind")]
pub(super) enum OriginKind {
    /// Nothing that is known.
    None,
    /// A rental.
    Rental,
    /// A wallet.
    Wallet,
    /// A subscription.
    Subscription,
    /// One item of a subscription.
    SubscriptionItem,
    /// An item added by hand.
    InvoiceItem,
    /// A quote.
    Quote,
    /// An order.
    Order,
    /// A hosting service.
    HostingService,
}

/// How the money is to be collected.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::CollectionMethod")]
pub(super) enum CollectionMethod {
    /// The source uses a word that is not known here; see `sourceStatus` and the source document.
    Unknown,
    /// The stored means of payment is charged.
    ChargeAutomatically,
    /// The customer is sent the invoice and pays it.
    SendInvoice,
}

/// Whether prices contain the tax.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::TaxMode")]
pub(super) enum TaxMode {
    /// Tax is added to the prices.
    Exclusive,
    /// Prices contain the tax.
    Inclusive,
}

/// What a line bills.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::LineItemKind")]
pub(super) enum LineItemKind {
    /// Anything else; `sourceKind` has the source's word.
    Other,
    /// Metered usage.
    Usage,
    /// Usage beyond what the wallet or plan covered.
    Overage,
    /// Money for a wallet.
    TopUp,
    /// A recurring price.
    Recurring,
    /// A single charge.
    OneOff,
    /// A correction.
    Adjustment,
    /// A credit; its amount is negative.
    Credit,
    /// A fee.
    Fee,
}

/// Why a tax is not charged.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::TaxExemption")]
pub(super) enum TaxExemption {
    /// The source uses a word that is not known here.
    Unknown,
    /// The customer accounts for the tax.
    ReverseCharge,
    /// The customer or the goods are exempt.
    TaxExempt,
    /// The seller is not registered for it.
    NotRegistered,
}

/// Where a discount comes from.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::DiscountKind")]
pub(super) enum DiscountKind {
    /// The source does not say.
    Unknown,
    /// A coupon.
    Coupon,
    /// Given by a person.
    Manual,
}

/// Whether money came in or went back.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::PaymentKind")]
pub(super) enum PaymentKind {
    /// An attempt to pay.
    Payment,
    /// Money returned; its amounts are positive.
    Refund,
}

/// The state of one attempt to pay, or of one refund.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::PaymentStatus")]
pub(super) enum PaymentStatus {
    /// The source uses a word that is not known here; see `sourceStatus`.
    Unknown,
    /// Prepared, not started.
    Ready,
    /// Under way.
    Pending,
    /// The customer must confirm it.
    RequiresAction,
    /// The money arrived, or went back.
    Succeeded,
    /// It failed; `failure` says why.
    Failed,
    /// It was given up.
    Canceled,
    /// All of it went back.
    Refunded,
}

/// What a payment refers to at its provider.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::PaymentReferenceKind")]
pub(super) enum PaymentReferenceKind {
    /// Paid outside any provider, such as by bank transfer.
    OutOfBand,
    /// A payment intent.
    PaymentIntent,
    /// A recorded payment.
    PaymentRecord,
    /// A charge.
    Charge,
    /// The customer's wallet.
    Wallet,
}

/// The sort of a means of payment.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::PaymentMethodType")]
pub(super) enum PaymentMethodType {
    /// The source does not say.
    Unknown,
    /// A card.
    Card,
    /// A bank transfer.
    BankTransfer,
    /// A direct debit.
    DirectDebit,
    /// A wallet.
    Wallet,
    /// Anything else.
    Other,
}

/// The state of a rental.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::RentalStatus")]
pub(super) enum RentalStatus {
    /// Being set up; not billed yet.
    Provisioning,
    /// Running and billed.
    Running,
    /// Being stopped.
    Stopping,
    /// Stopped.
    Stopped,
    /// It failed; `error` says why.
    Failed,
}

/// The state of a customer.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::CustomerStatus")]
pub(super) enum CustomerStatus {
    /// The source uses a word that is not known here; see `sourceStatus`.
    Unknown,
    /// Doing business.
    Active,
    /// Not at the moment.
    Inactive,
    /// The account is closed.
    Closed,
}

/// Who caused an entry of an invoice's history.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::EventSource")]
pub(super) enum EventSource {
    /// The gateway itself.
    System,
    /// A call of this API.
    Api,
    /// An event from Stripe.
    Webhook,
    /// A comparison with Stripe.
    Reconciler,
    /// An import.
    Import,
}

/// The sort of principal behind a credential.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "viewer::PrincipalKind")]
pub(super) enum PrincipalKind {
    /// A customer, who sees only the own bills.
    Customer,
    /// The company itself: everything of its tenant.
    Merchant,
    /// An integration, cut by scopes and perhaps by customers.
    Partner,
    /// A program of the company's own.
    Service,
}

/// The sort of principal behind an API key.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "entity::CredentialKind")]
pub(super) enum ApiKeyKind {
    /// An integration, cut by scopes and perhaps by customers.
    Partner,
    /// The company itself: drafts exist for it.
    Merchant,
    /// A program of the company's own: drafts exist for it.
    Service,
}

/// How it stands with an API key or a session.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "credential_state::CredentialState")]
pub(super) enum CredentialState {
    /// It is accepted.
    Active,
    /// It has ended by itself.
    Expired,
    /// Somebody ended it.
    Revoked,
}

/// How current a link to Stripe is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "links::Freshness")]
pub(super) enum Freshness {
    /// Read from Stripe for this answer.
    Live,
    /// Read so lately that Stripe still guarantees it.
    Fresh,
    /// Older: it may have died since. Worth trying, not worth promising.
    Stale,
    /// Never read from Stripe.
    NeverFetched,
}

/// Why Stripe could not be read.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum UpstreamErrorCode {
    /// It did not answer in time.
    Timeout,
    /// It is asked too often.
    RateLimited,
    /// It cannot be reached, or fails.
    Unavailable,
    /// It refuses the key.
    Auth,
    /// It does not know the invoice any more.
    NotFound,
    /// Its answer cannot be used.
    BadResponse,
    /// Its link leads where links may not lead.
    BadUrl,
    /// No connection is configured.
    NotConfigured,
}

impl UpstreamErrorCode {
    /// The stored word; one that nobody knows is an answer that cannot be used.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "TIMEOUT" => Self::Timeout,
            "RATE_LIMITED" => Self::RateLimited,
            "UNAVAILABLE" => Self::Unavailable,
            "AUTH" => Self::Auth,
            "NOT_FOUND" => Self::NotFound,
            "BAD_URL" => Self::BadUrl,
            "NOT_CONFIGURED" => Self::NotConfigured,
            _ => Self::BadResponse,
        }
    }
}

/// How current a link to Stripe is to be.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
#[graphql(remote = "links::Wanted")]
pub(super) enum UrlFreshness {
    /// What is stored while it is less than a day old; older links are fetched, and given as they are when Stripe does
    /// not answer. Links of nine days and receipts of 25 are not given without Stripe.
    #[default]
    Cached,
    /// What Stripe gives within 0.8 seconds, else what is stored.
    PreferFresh,
    /// What Stripe gives, else null with an error.
    RequireFresh,
}

/// What a list of invoices can be ordered by. Invoices without the value come last in either direction; ties are broken by id.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "store::invoice::OrderField")]
pub(super) enum InvoiceOrderField {
    /// When it was made.
    CreatedAt,
    /// The day printed on it.
    IssueDate,
    /// When it is due.
    DueAt,
    /// When it was paid.
    PaidAt,
    /// What is due, in minor units whatever the currency.
    AmountDue,
    /// Its number, compared character by character.
    Number,
    /// When it last changed.
    UpdatedAt,
}
