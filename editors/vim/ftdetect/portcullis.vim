" Policies of portcullis.
autocmd BufNewFile,BufRead *.gate setfiletype portcullis
