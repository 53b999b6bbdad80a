package directives

// ReadsByCode is readsByCode, for tests with generated schemas, which import this package.
var ReadsByCode = readsByCode
