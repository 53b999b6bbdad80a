package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lintOf lints one schema given as text, and returns the findings by coordinate.
func lintOf(t *testing.T, schema string) map[string]Finding {
	t.Helper()
	file := filepath.Join(t.TempDir(), "schema.graphqls")
	require.NoError(t, os.WriteFile(file, []byte(schema), 0o600))
	report, err := Check([]string{file}, defaults(t))
	require.NoError(t, err)
	found := map[string]Finding{}
	for _, f := range report.Findings {
		found[f.Coordinate] = f
	}
	return found
}

func TestNamesOfEachClass(t *testing.T) {
	for class, names := range map[string][]string{
		"identity": {
			"ssn", "userSSNs", "socialSecurityNumber", "taxFileNumber", "tfn", "TIN", "nationalId", "passport_number", "driversLicence",
			"personnummer", "samordningsnummer", "fodselsnummer", "cprNumber", "henkilotunnus", "hetu", "bsn", "burgerservicenummer", "steuerId",
			"steuerIdentifikationsnummer", "sozialversicherungsnummer", "nif", "NIE", "dni", "codiceFiscale", "pesel", "rodneCislo", "cnp",
			"cpf", "curp", "aadhaar", "aadhaarNumber", "panCard", "nric", "tcKimlikNo", "numeroDeSecuriteSociale", "isikukood",
			"dateOfBirth", "dob", "birthdate", "geburtsdatum", "religion", "ethnicity", "fingerprintScan", "biometrics", "firstName", "lastname",
		},
		"contact": {"email", "emailAddresses", "workEMail", "userEmail", "phone", "mobileNumber", "fax", "homeAddress", "streetAddress1", "zip",
			"postcode", "zipCode", "ip", "ipAddress", "IPv4Address", "lastLoginIP", "actorIp", "latitude"},
		"payment": {"cardNumber", "creditCardNumber", "PAN", "cvv", "cvv2", "cardCVC", "iban", "IBANNumber", "accountNumber", "routingNumber", "sortCode",
			"bankDetails", "bankAccount", "swiftCode", "bsb", "clabe", "giftCardCode", "salary"},
		"health": {"diagnosis", "diagnoses", "medicalConditions", "medicalRecordNumber", "mrn", "nhsNumber", "allergies", "bloodType", "medications",
			"prescription", "hivStatus", "symptoms", "healthInsuranceNumber", "immunizations", "treatmentPlan", "disabilities"},
		"credential": {"password", "newPassword", "passphrase", "pin", "otp", "oneTimePassword", "OTPCode", "mfaCode", "recoveryCodes", "backupCodes", "apiKey",
			"privateKey", "clientSecret", "accessToken", "refreshToken", "sessionToken", "token", "resetToken", "jwt", "securityAnswer"},
	} {
		for _, name := range names {
			t.Run(class+" "+name, func(t *testing.T) {
				f, ok := lintOf(t, "type User { "+name+": String }")["User."+name]
				require.True(t, ok)
				assert.Equal(t, class, f.Class)
			})
		}
	}
}

func TestHarmlessNames(t *testing.T) {
	for _, field := range []string{
		"fingerprint: String", "keyFingerprint: String", "billingCountryOrRegion: String", "publicKey: String", "signature: String",
		"nextPageToken: String", "continuationToken: String", "token: UUID", "tokenExpiresAt: DateTime", "passwordUpdatedAt: DateTime",
		"passwordHint: Boolean", "cardBrand: String", "cardLastDigits: String", "last4: String", "emailVerified: Boolean", "emailTemplate: String",
		"shippingMethod: String", "pinnedPosition: Int", "session: String", "company: String", "span: String", "ipAllowListEntryId: ID", "runNumber: Int",
		"addressId: ID", "customerAccessTokenId: ID", "companyId: ID", "phoneNumberFormat: String", "birthdayReminderEnabled: Boolean", "healthCheckUrl: String",
	} {
		t.Run(field, func(t *testing.T) {
			assert.Empty(t, lintOf(t, "scalar UUID scalar DateTime type User { "+field+" }"))
		})
	}
	t.Run("a description that says sensitive", func(t *testing.T) {
		assert.Empty(t, lintOf(t, `type Search { "Case sensitive." query: String "A clinical trial's site." site: String "This is no PII." a: String "Never a credit card number." b: String }`))
	})
	t.Run("addresses of machines and of shops", func(t *testing.T) {
		assert.Empty(t, lintOf(t, `type ServerMetadata { hookIpAddresses: [String!] } type LocationAddress { zip: String phone: String }`))
	})
}

func TestDescriptionsOfOpaqueNames(t *testing.T) {
	found := lintOf(t, `type Person {
		"The person's social security number." reference: String
		"Contains personally identifiable information." remark: String
		"The diagnosis that the doctor made." text: String
		"Personal access token of the user." pat: String
	}`)
	assert.Equal(t, "sensitive/national-id", found["Person.reference"].Rule)
	assert.Equal(t, "sensitive/declared", found["Person.remark"].Rule)
	assert.Equal(t, "sensitive/health", found["Person.text"].Rule)
	assert.Equal(t, "sensitive/session-token", found["Person.pat"].Rule)
	assert.Contains(t, found["Person.text"].Message, "looks by its description like the health of a person")
}

// The owning type, the field's type or the mutation's name decides if the field's name alone does not.
func TestTypesAndMutationsDecide(t *testing.T) {
	found := lintOf(t, `scalar EmailAddress scalar CreditCardNumber scalar CreditCardLast4 scalar LocalDate
		type Person { primary: EmailAddress charged: CreditCardNumber ending: CreditCardLast4 symptomOnset: LocalDate childDoB: String
			witnessSignature: String signature: String sessionId: String }
		type Warehouse { email: String phone: String streetAddress: String managerEmail: String }
		type WarehouseManager { phone: String }
		type Order { token: String merchantEmail: String customerEmail: String }
		type Login { token: String }
		type DeviceMetadata { sessionId: String }
		input CreditCardInput { number: String }
		type ProjectCard { number: String }
		type Observation { value: String note: String }
		type Setting { value: String note: String }
		input TaxIdentifierInput { identifier: String }
		type Mutation {
			updatePatient(notes: String): Boolean
			updateWarehouse(notes: String, email: String): Boolean
			changePassword: String
			refreshToken: String
		}`)
	for coordinate, rule := range map[string]string{
		"Person.primary": "email", "Person.charged": "card", "Person.ending": "", "Person.symptomOnset": "health", "Person.childDoB": "birth",
		"Person.witnessSignature": "person", "Person.signature": "", "Person.sessionId": "session-id",
		"Warehouse.email": "", "Warehouse.phone": "", "Warehouse.streetAddress": "", "Warehouse.managerEmail": "email", "WarehouseManager.phone": "phone",
		"Order.token": "", "Order.merchantEmail": "", "Order.customerEmail": "email", "Login.token": "session-token-of", "DeviceMetadata.sessionId": "",
		"CreditCardInput.number": "card-of", "ProjectCard.number": "", "Observation.value": "health-of", "Observation.note": "health-of",
		"Setting.value": "", "Setting.note": "", "TaxIdentifierInput.identifier": "national-id-of",
		"Mutation.updatePatient(notes:)": "health-notes", "Mutation.updateWarehouse(notes:)": "", "Mutation.updateWarehouse(email:)": "",
		"Mutation.changePassword": "", "Mutation.refreshToken": "session-token",
	} {
		t.Run(coordinate, func(t *testing.T) {
			assert.Equal(t, rule, strings.TrimPrefix(found[coordinate].Rule, ruleSensitive+"/"))
		})
	}
	assert.Contains(t, found["Person.primary"].Message, "looks by its type like a mailbox")
}

// Each class has its advice and its level. No advice says to tokenize a password: a token can be turned back into it.
func TestAdviceAndLevel(t *testing.T) {
	found := lintOf(t, `scalar Date
		type User { ssn: String email: String cardNumber: String cvv: String diagnosis: String sessionToken: String password: String firstName: String birthday: Date pin: Int }
		input LoginInput { email: String password: String otp: String }
		type Mutation { login(password: String): Boolean }`)
	for coordinate, want := range map[string]struct{ level, advice string }{
		"User.ssn":                  {LevelError, "annotate it with @token"},
		"User.email":                {LevelWarning, "annotate it with @token"},
		"User.cardNumber":           {LevelError, "annotate it with @token"},
		"User.cvv":                  {LevelError, "PCI DSS forbids storing it"},
		"User.diagnosis":            {LevelError, "annotate it with @token"},
		"User.firstName":            {LevelNote, "annotate it with @token"},
		"User.birthday":             {LevelError, "Date can't hold a token: make it a String"},
		"User.sessionToken":         {LevelError, "drop it from the schema"},
		"User.password":             {LevelError, "keep a hash"},
		"User.pin":                  {LevelError, "keep a hash"},
		"LoginInput.email":          {LevelWarning, "annotate it with @token"},
		"LoginInput.password":       {LevelNote, "do not tokenize it"},
		"LoginInput.otp":            {LevelNote, "do not tokenize it"},
		"Mutation.login(password:)": {LevelNote, "do not tokenize it"},
	} {
		t.Run(coordinate, func(t *testing.T) {
			f := found[coordinate]
			assert.Equal(t, want.level, f.Level)
			assert.Contains(t, f.Message, want.advice)
			if f.Class == "credential" {
				assert.NotContains(t, f.Message, "annotate it with @token")
			}
		})
	}
	assert.False(t, (&Report{Findings: []Finding{{Level: LevelNote}}}).Failed())
	assert.True(t, (&Report{Findings: []Finding{{Level: LevelNote}, {Level: LevelWarning}}}).Failed())
}
