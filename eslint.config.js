import js from '@eslint/js'
import tseslint from 'typescript-eslint'
import jest from 'eslint-plugin-jest'

const shape = {
  'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: false }],
  'max-lines': ['error', 400],
  'max-params': ['error', 4],
  complexity: ['error', 12],
}

const environment = {
  object: 'process',
  property: 'env',
  message: 'only packages/runtime/src/program/settings.ts reads the environment',
}

// Decisions are synchronous functions of (state, event, now): replayable from a seed, in virtual time.
const pure = {
  'no-restricted-globals': [
    'error',
    ...[
      'setTimeout',
      'setInterval',
      'setImmediate',
      'queueMicrotask',
      'process',
      'console',
      'fetch',
      'performance',
    ].map((name) => ({ name, message: 'a decision does no I/O: return an effect or a deadline instead' })),
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: 'take now as an argument' },
    { object: 'Math', property: 'random', message: 'take a random source as an argument' },
  ],
  'no-restricted-syntax': [
    'error',
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'take now as an argument' },
    { selector: ':function[async=true]', message: 'a decision is synchronous' },
  ],
}

export default tseslint.config(
  { ignores: ['**/dist/**', '**/*.js', '**/*.cjs'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    // One program for all rooms: with a project service every room is checked anew by each that imports it.
    languageOptions: { parserOptions: { project: './test/tsconfig.lint.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...shape,
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { requireDefaultForNonUnion: true, considerDefaultExhaustiveForUnions: false },
      ],
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      'no-restricted-properties': ['error', environment],
    },
  },
  { files: ['packages/runtime/src/program/settings.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['packages/{hashing,placement,protocol}/src/**/*.ts', '**/src/**/decide/**/*.ts'],
    rules: pure,
  },
  {
    files: ['**/test/**/*.ts'],
    plugins: { jest },
    rules: {
      ...jest.configs['flat/recommended'].rules,
      'jest/expect-expect': 'off', // assertions stand in the vocabulary of the suite
      'jest/no-conditional-expect': 'off', // property tests branch on their input
      'max-lines-per-function': 'off',
      'no-restricted-properties': 'off',
    },
  },
)
