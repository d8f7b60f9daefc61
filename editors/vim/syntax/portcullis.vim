" Colours for policies of portcullis. The words are those of grammar/policy.pest.

if exists("b:current_syntax")
  finish
endif

syntax case match
" `case-insensitive` is one word.
syntax iskeyword @,48-57,_,-

syntax keyword portcullisDeclaration api guard issuer language let param set test under
syntax keyword portcullisAccess allowed anonymous authenticated denied instead public requires
syntax keyword portcullisOperator absent all and any domain ends if in is not or present starts with within
" To Vim this word is an argument of `syntax keyword`.
syntax match portcullisOperator "\<contains\>"
syntax keyword portcullisType boolean duration list number string time words
syntax keyword portcullisSetting access address age ago algorithms allow as at audience be
syntax keyword portcullisSetting case-insensitive claim claims client cookie cors credentials discover on passed
syntax keyword portcullisSetting dpop empty encoded-slash except file forward forwards from header host
syntax keyword portcullisSetting id introspect json jwt keys leeway login matrix-parameters max may method
syntax keyword portcullisSetting mtls no of only optional paths payload preflight query realm required
syntax keyword portcullisSetting scope scopes sender subprotocol token tokens url
syntax keyword portcullisConstant false now null true
syntax keyword portcullisAlgorithm RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 HS256 HS384 HS512 EdDSA Ed25519
syntax keyword portcullisMethod ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK
syntax keyword portcullisMethod LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE
syntax keyword portcullisMethod OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT QUERY REBIND REPORT
syntax keyword portcullisMethod SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF
syntax keyword portcullisMethod VERSION-CONTROL

" `path.org`, `host.tenant`
syntax match portcullisReference "\<\%(path\|host\)\.\a[A-Za-z0-9_]*"
syntax keyword portcullisSetting by nextgroup=portcullisReason skipwhite
syntax match portcullisReason "\l[a-z0-9_.]*" contained
syntax match portcullisNumber "[A-Za-z0-9_.-]\@1<!-\=\d\+\%(\.\d\+\)\=[smhd]\=\>"
syntax match portcullisComparison "[=!<>]=\|[<>=]"

" A path, and the target of a test, run to the next blank.
syntax match portcullisPath "\%(^\|\s\)\@1<=\%(\a[A-Za-z0-9+.-]*:/\)\=/\S*" contains=portcullisParameter,portcullisRest
syntax match portcullisParameter "{\a[A-Za-z0-9_]*}" contained
syntax match portcullisRest "\*\*" contained

syntax region portcullisString start=+"+ skip=+\\.+ end=+"+ oneline contains=portcullisEscape,portcullisParameter
syntax match portcullisEscape +\\["\\]+ contained

" A comment begins at the start of a line or after a blank.
syntax keyword portcullisTodo TODO NOTE contained
syntax match portcullisComment "\%(^\|\s\)\@1<=#.*$" contains=portcullisTodo,@Spell

highlight default link portcullisDeclaration Keyword
highlight default link portcullisAccess Statement
highlight default link portcullisOperator Operator
highlight default link portcullisComparison Operator
highlight default link portcullisType Type
highlight default link portcullisSetting Keyword
highlight default link portcullisConstant Boolean
highlight default link portcullisAlgorithm Constant
highlight default link portcullisMethod Function
highlight default link portcullisReference Identifier
highlight default link portcullisReason Constant
highlight default link portcullisNumber Number
highlight default link portcullisPath Special
highlight default link portcullisParameter Identifier
highlight default link portcullisRest Operator
highlight default link portcullisString String
highlight default link portcullisEscape SpecialChar
highlight default link portcullisTodo Todo
highlight default link portcullisComment Comment

let b:current_syntax = "portcullis"
