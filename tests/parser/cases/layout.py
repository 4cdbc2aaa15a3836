def continued(a, b):
    x = a + \
        b
    y = (a +  # comment
   b

         )
    if a and \
       b:
        pass
# a comment less deep
      # and one deeper
    else: z = 1  ;
    return [
a,
]


def tabs(a):
	if a:
		x = 1
	        # eight spaces after a tab, in a comment
	return a


def blank_lines_with_spaces(a):
    x = 1
  
        
    return x

def form_feed(a):

    return a
def no_newline_at_the_end(a):
    if a:
        return 1
    return 2