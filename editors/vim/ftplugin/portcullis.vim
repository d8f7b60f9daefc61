" Settings for policies of portcullis.

if exists("b:did_ftplugin")
  finish
endif
let b:did_ftplugin = 1

setlocal comments=:#
setlocal commentstring=#\ %s
setlocal formatoptions-=t formatoptions+=croql
" As `portcullis fmt` lays out.
setlocal expandtab shiftwidth=4 softtabstop=4 tabstop=4

let b:undo_ftplugin = "setlocal comments< commentstring< formatoptions< expandtab< shiftwidth< softtabstop< tabstop<"
