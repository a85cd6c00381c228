//! The customer as printed on an invoice.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::customer_snapshot;

use super::context::{Nullable, guarded_value};
use super::kinds::CustomerStatus;
use super::money::{Address, AddressColumns, ExternalAttribute, external_attributes};
use super::scalars::{CurrencyCode, Date, DateTime, Decimal};

/// The customer as printed on one invoice.
pub(super) struct CustomerSnapshot(pub(super) Arc<customer_snapshot::Model>);

impl CustomerSnapshot {
    fn address(&self) -> Option<Address> {
        let row = &self.0;
        Address::of(AddressColumns {
            line1: row.line1.as_ref(),
            line2: row.line2.as_ref(),
            extra_lines: row.extra_lines.as_ref(),
            city: row.city.as_ref(),
            state: row.state.as_ref(),
            postal_code: row.postal_code.as_ref(),
            country: row.country.as_ref(),
        })
    }
}

/// The customer as printed on an invoice, frozen when it was issued. All but the name needs a scope of its own.
#[Object]
impl CustomerSnapshot {
    /// The name on the invoice.
    fn name(&self) -> &String {
        &self.0.name
    }

    /// The customer's id in the source system; `Invoice.customerId` has the one here. Needs the scope `customers.pii:read`.
    fn customer_id(&self, ctx: &Context<'_>) -> Nullable<ID> {
        guarded_value(ctx, ("CustomerSnapshot", "customerId"), self.0.customer_external_id.clone().map(ID))
    }

    /// The id of the customer above, in the source system. Needs the scope `customers.pii:read`.
    fn parent_id(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "parentId"), self.0.parent_external_id.clone())
    }

    /// The merchant's own id for the customer. Needs the scope `customers.pii:read`.
    fn alias(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "alias"), self.0.alias.clone())
    }

    /// The person's first name. Needs the scope `customers.pii:read`.
    fn first_name(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "firstName"), self.0.first_name.clone())
    }

    /// The person's last name. Needs the scope `customers.pii:read`.
    fn last_name(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "lastName"), self.0.last_name.clone())
    }

    /// The company's name. Needs the scope `customers.pii:read`.
    fn company_name(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "companyName"), self.0.company_name.clone())
    }

    /// Whether the customer is a company. Needs the scope `customers.pii:read`.
    fn is_company(&self, ctx: &Context<'_>) -> Nullable<bool> {
        guarded_value(ctx, ("CustomerSnapshot", "isCompany"), self.0.is_company)
    }

    /// The e-mail address. Needs the scope `customers.pii:read`.
    fn email(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "email"), self.0.email.clone())
    }

    /// The telephone number. Needs the scope `customers.pii:read`.
    fn phone(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "phone"), self.0.phone.clone())
    }

    /// The tax number. Needs the scope `customers.pii:read`.
    fn tax_id(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "taxId"), self.0.tax_id.clone())
    }

    /// The number in a company register. Needs the scope `customers.pii:read`.
    fn organization_number(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "organizationNumber"), self.0.organization_number.clone())
    }

    /// The address on the invoice. Needs the scope `customers.pii:read`.
    fn billing_address(&self, ctx: &Context<'_>) -> Nullable<Address> {
        guarded_value(ctx, ("CustomerSnapshot", "billingAddress"), self.address())
    }

    /// The language, as the source codes it. Needs the scope `customers.pii:read`.
    fn locale(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "locale"), self.0.locale.clone())
    }

    /// When the copy was made. Needs the scope `customers.pii:read`.
    fn taken_at(&self, ctx: &Context<'_>) -> Nullable<DateTime> {
        guarded_value(ctx, ("CustomerSnapshot", "takenAt"), self.0.snapshot_at.map(DateTime))
    }

    /// The state the customer was in. Needs the scope `customers.pii:read`.
    fn status(&self, ctx: &Context<'_>) -> Nullable<CustomerStatus> {
        guarded_value(ctx, ("CustomerSnapshot", "status"), self.0.status.map(Into::into))
    }

    /// That state as the source words it. Needs the scope `customers.pii:read`.
    fn source_status(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "sourceStatus"), self.0.source_status.clone())
    }

    /// Whether the customer was exempt from tax. Needs the scope `customers.pii:read`.
    fn tax_exempt(&self, ctx: &Context<'_>) -> Nullable<bool> {
        guarded_value(ctx, ("CustomerSnapshot", "taxExempt"), self.0.tax_exempt)
    }

    /// The customer's own tax rate in percent. Needs the scope `customers.pii:read`.
    fn tax_rate(&self, ctx: &Context<'_>) -> Nullable<Decimal> {
        guarded_value(ctx, ("CustomerSnapshot", "taxRate"), self.0.tax_rate.as_ref().map(Decimal::from))
    }

    /// Whether that rate replaced the usual one. Needs the scope `customers.pii:read`.
    fn tax_rate_override_enabled(&self, ctx: &Context<'_>) -> Nullable<bool> {
        guarded_value(ctx, ("CustomerSnapshot", "taxRateOverrideEnabled"), self.0.tax_rate_override_enabled)
    }

    /// The currency the customer was usually billed in. Needs the scope `customers.pii:read`.
    fn currency(&self, ctx: &Context<'_>) -> Nullable<CurrencyCode> {
        guarded_value(ctx, ("CustomerSnapshot", "currency"), self.0.currency.clone().map(CurrencyCode))
    }

    /// The brand the customer dealt with, in the source system. Needs the scope `customers.pii:read`.
    fn brand_id(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "brandId"), self.0.brand_external_id.clone())
    }

    /// The name of that brand. Needs the scope `customers.pii:read`.
    fn brand_name(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "brandName"), self.0.brand_name.clone())
    }

    /// The contact that was sent the bills, in the source system. Needs the scope `customers.pii:read`.
    fn billing_contact_id(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "billingContactId"), self.0.billing_contact_external_id.clone())
    }

    /// The merchant's notes. Needs the scope `invoices.internal:read`.
    fn notes(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("CustomerSnapshot", "notes"), self.0.notes.clone())
    }

    /// The day on which the source recorded the customer. Needs the scope `customers.pii:read`.
    fn source_created_at(&self, ctx: &Context<'_>) -> Nullable<Date> {
        guarded_value(ctx, ("CustomerSnapshot", "sourceCreatedAt"), self.0.source_created_on.map(Date))
    }

    /// What the source stated and the schema has no field for. Needs the scope `invoices.internal:read`.
    fn external_attributes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>,
    ) -> Nullable<Vec<ExternalAttribute>> {
        let attributes = external_attributes(&self.0.external_attributes, keys);
        guarded_value(ctx, ("CustomerSnapshot", "externalAttributes"), Some(attributes))
    }
}
