//! Closed vocabularies, stored as upper-case words. The CHECKs of the schema list the same words.

use sea_orm::{DeriveActiveEnum, EnumIter, Iterable, sea_query::StringLen};
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident { $first:ident $(, $word:ident)* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
        #[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum $name { #[default] $first $(, $word)* }

        impl $name {
            /// Every word of the vocabulary, as stored.
            pub fn words() -> Vec<String> {
                <Self as Iterable>::iter().map(|word| sea_orm::ActiveEnum::to_value(&word)).collect()
            }

            /// The word as stored, in upper case.
            pub fn word(self) -> String {
                sea_orm::ActiveEnum::to_value(&self)
            }
        }
    )*};
}

kinds! {
    /// Where an invoice came from.
    SourceSystem { Native, Stripe, GpuOutlet, Paypercut, Meteroid, Userhub, Hostup }
    /// The five states of an invoice.
    InvoiceStatus { Draft, Open, Paid, Void, Uncollectible }
    /// Why an invoice was made.
    BillingReason {
        Unknown, TopupFailed, Overage, Manual, SubscriptionCreate, SubscriptionCycle, SubscriptionUpdate,
        SubscriptionThreshold, QuoteAccept, Upcoming,
    }
    /// What sort of invoice it is.
    InvoiceType { Unknown, Recurring, OneOff, Adjustment, UsageThreshold, TopUp }
    /// What an invoice or a line was made from.
    OriginKind { None, Rental, Wallet, Subscription, SubscriptionItem, InvoiceItem, Quote, Order, HostingService }
    /// How the money is to be collected.
    CollectionMethod { Unknown, ChargeAutomatically, SendInvoice }
    /// Whether prices contain the tax.
    TaxMode { Exclusive, Inclusive }
    /// What a line bills.
    LineItemKind { Other, Usage, Overage, TopUp, Recurring, OneOff, Adjustment, Credit, Fee }
    /// Why a tax is not charged.
    TaxExemption { Unknown, ReverseCharge, TaxExempt, NotRegistered }
    /// Where a discount comes from.
    DiscountKind { Unknown, Coupon, Manual }
    /// Money in or money back.
    PaymentKind { Payment, Refund }
    /// The state of one payment attempt.
    PaymentStatus { Unknown, Ready, Pending, RequiresAction, Succeeded, Failed, Canceled, Refunded }
    /// What a payment refers to at its provider.
    PaymentReferenceKind { OutOfBand, PaymentIntent, PaymentRecord, Charge, Wallet }
    /// The sort of a means of payment.
    PaymentMethodType { Unknown, Card, BankTransfer, DirectDebit, Wallet, Other }
    /// The state of a rental.
    RentalStatus { Provisioning, Running, Stopping, Stopped, Failed }
    /// The state of a customer.
    CustomerStatus { Unknown, Active, Inactive, Closed }
    /// How far the gateway is with a webhook.
    WebhookStatus { Received, Processed, Ignored, Parked, Failed }
    /// The sort of principal behind an API key.
    CredentialKind { Partner, Merchant, Service }
    /// How an event came into the inbox.
    InboxSource { Webhook, List }
    /// Who caused an entry of an invoice's history.
    EventSource { System, Api, Webhook, Reconciler, Import }
}
