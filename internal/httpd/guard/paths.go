package guard

// CreatePath is where the sign-in flow takes a provider's answer: a form of another origin's page.
const CreatePath = "/session/create"
