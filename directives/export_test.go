package directives

// InputsRunCode is inputsRunCode, for tests with generated schemas, which import this package.
var InputsRunCode = inputsRunCode
